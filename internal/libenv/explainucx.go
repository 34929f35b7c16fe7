package libenv

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// ucxPorts are those that UCX uses.
func (s settings) ucxPorts() (ports []Port) {
	l := DeviceList{All: true}
	if value, set := s.value("UCX_NET_DEVICES"); set {
		l = ParseDeviceList(value)
	}
	for _, p := range s.ports {
		if p.active() && l.Selects(p) {
			ports = append(ports, p)
		}
	}
	return ports
}

func (s settings) ucxDevices(e *Explanation) {
	l := ParseDeviceList(e.Value)
	switch list := strings.Join(l.Items, ", "); {
	case l.All:
		e.Meaning = "all devices"
	case l.Not:
		e.Meaning = "all devices except " + list
	default:
		e.Meaning = "the devices " + list + ", and no others"
	}
	if strings.Contains(e.Value, "[") {
		e.find(Note, "", "ranges are understood by UCX 1.22 and newer")
	}
	for _, item := range l.Items {
		s.judgeDevice(e, l, item)
	}
	for _, p := range s.ports {
		switch {
		case !l.Selects(p):
		case p.active():
			e.Selects = append(e.Selects, p.Name())
		default:
			e.passedOver("UCX", p)
		}
	}
	if len(e.Selects) == 0 {
		e.find(Error, "", "no active port of an HCA is left: there is no RDMA")
	}
}

// judgeDevice says what an item is, if it is no port of an HCA.
func (s settings) judgeDevice(e *Explanation, l DeviceList, item string) {
	if item == "all" {
		if !l.All {
			e.find(Error, "UCX_NET_DEVICES=all", "all does not go with other names")
		}
		return
	}
	for _, p := range s.ports {
		switch item {
		case p.Name():
			return
		case p.Device:
			e.find(Note, p.Name(), "a name without a port is understood by UCX 1.21 and newer")
			return
		case p.Netdev:
			e.find(severityOfTCP(l.Not), p.Name(), "%s is a network interface, over which UCX uses TCP; the HCA behind it is %s", item, p.Name())
			return
		}
	}
	e.find(severityOf(l.Not), "", "%s is no port of an HCA of this host", item)
}

func severityOfTCP(not bool) Severity {
	if not {
		return Note
	}
	return Warning
}

func (s settings) ucxIndex(e *Explanation) {
	n, err := strconv.ParseUint(e.Value, 10, 32)
	auto := e.Value == "" || e.Value == "auto"
	switch {
	case auto:
		e.Meaning = "UCX looks for a GID on each RoCE port: RoCE v2 before v1, IPv4 before IPv6, link-local last"
	case err != nil:
		e.Meaning = "it is not valid"
		e.find(Error, "auto, or a number", "%s is not an index: UCX refuses it", e.Value)
		return
	default:
		e.Meaning = fmt.Sprintf("index %d on every port that UCX uses, InfiniBand's, too", n)
		if _, both := s.value("UCX_IB_ROCE_SUBNETS"); both {
			e.find(Error, "unset one of them", "UCX refuses it together with UCX_IB_ROCE_SUBNETS")
		}
	}
	var choices []Choice
	for _, p := range s.ucxPorts() {
		c := Choice{p, p.Entry(uint32(n))}
		if auto {
			c.Entry, _ = s.ucxFinds(p)
		}
		choices = append(choices, c)
		e.selectGID(c)
		e.judgeGID(p, c.Entry)
	}
	if !auto {
		e.judgeAlike(roceOnly(choices))
	}
}

// subnets are those of UCX_IB_ROCE_SUBNETS.
type subnets struct {
	not  bool
	list []netip.Prefix
	bad  []string
}

func (s settings) subnets() (l subnets, set bool) {
	value, set := s.value("UCX_IB_ROCE_SUBNETS")
	if !set || value == "all" {
		return l, false
	}
	value, l.not = strings.CutPrefix(value, "^")
	for item := range strings.SplitSeq(value, ",") {
		if p, err := netip.ParsePrefix(item); err == nil {
			l.list = append(l.list, p.Masked())
		} else {
			l.bad = append(l.bad, item)
		}
	}
	return l, true
}

func (l subnets) allow(e rdma.GIDEntry) bool {
	in := slices.ContainsFunc(l.list, func(p netip.Prefix) bool { return p.Contains(e.GID.Addr()) })
	return in != l.not
}

// ucxFinds returns the entry that UCX finds by itself.
func (s settings) ucxFinds(p Port) (rdma.GIDEntry, bool) {
	if l, set := s.subnets(); set && p.roce() {
		p.Table = slices.DeleteFunc(slices.Clone(p.Table), func(e rdma.GIDEntry) bool { return !l.allow(e) })
	}
	if e, ok := ucxGID(p); ok {
		return e, true
	}
	return p.Entry(0), false
}

func (s settings) ucxSubnets(e *Explanation) {
	e.Meaning = "UCX 1.18 and newer looks for GIDs of these subnets alone"
	l, set := s.subnets()
	if !set {
		e.Meaning = "GIDs of all subnets"
		return
	}
	if l.not {
		e.Meaning = "UCX 1.18 and newer looks for GIDs of other subnets than these"
	}
	for _, bad := range l.bad {
		e.find(Error, "", "%s is not a subnet such as 10.0.0.0/16", bad)
	}
	for _, p := range s.ucxPorts() {
		if _, found := s.ucxFinds(p); p.roce() && !p.Unread && !found {
			e.find(Error, "", "%s has no GID that they allow: UCX does not come up on it", p.Name())
		}
	}
}

func (s settings) ucxLocalSubnet(e *Explanation) {
	switch strings.ToLower(e.Value) {
	case "y", "yes", "1", "on", "true":
		e.Meaning = "only peers in the subnet of a port's own address are taken for reachable from it"
	default:
		e.Meaning = "peers in other subnets are taken for reachable, as UCX_IB_ROCE_REACHABILITY_MODE says"
	}
}

// rdmaTransports are the words of UCX_TLS that stand for HCAs, and what they begin with.
var rdmaTransports = []string{"all", "ib", "rc", "ud", "dc", "srd"}

func (s settings) ucxTLS(e *Explanation) {
	value, not := strings.CutPrefix(e.Value, "^")
	e.Meaning = "the transports " + value + ", and no others"
	if not {
		e.Meaning = "all transports except " + value
	}
	has := false
	for item := range strings.SplitSeq(value, ",") {
		word, _, _ := strings.Cut(strings.TrimPrefix(item, "\\"), "_")
		word, _, _ = strings.Cut(word, ":")
		has = has || slices.Contains(rdmaTransports, word)
	}
	switch {
	case !not && !has:
		e.find(Warning, e.Variable+"="+value+",rc", "none of them uses HCAs")
	case not && slices.ContainsFunc(strings.Split(value, ","), func(i string) bool { return i == "ib" || i == "all" }):
		e.find(Warning, "", "no transport that uses HCAs is left")
	}
}
