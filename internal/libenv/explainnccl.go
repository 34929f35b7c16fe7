package libenv

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

func (s settings) ncclHCA(e *Explanation) {
	l := ParseHCAList(e.Value)
	e.Meaning = l.meaning()
	if strings.HasPrefix(e.Value, "=^") {
		e.find(Error, "NCCL_IB_HCA=^="+strings.TrimPrefix(e.Value, "=^"), "'^' comes before '=': here it is part of a name")
	}
	for _, item := range l.Items {
		s.judgeHCA(e, l, item)
	}
	for _, p := range s.ports {
		switch {
		case !l.Selects(p.Device, p.Number):
		case p.active():
			e.Selects = append(e.Selects, p.Name())
		default:
			e.passedOver("NCCL", p)
		}
	}
	if len(e.Selects) == 0 {
		e.find(Error, "", "no active port is left: NCCL uses sockets, if it may")
	}
	s.judgeMixture(e)
}

func (l HCAList) meaning() string {
	var names []string
	for _, i := range l.Items {
		name := i.Name
		if port, ok := i.Port.Get(); ok {
			name += fmt.Sprintf(" port %d", port)
		}
		names = append(names, name)
	}
	list := strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		return "all HCAs"
	case l.Not && l.Exact:
		return "all HCAs except " + list
	case l.Not:
		return "all HCAs except those whose names begin with " + list
	case l.Exact:
		return "the HCAs " + list
	}
	return "the HCAs whose names begin with " + list
}

// judgeHCA looks for names that match nothing, or more than is meant.
func (s settings) judgeHCA(e *Explanation, l HCAList, item HCAItem) {
	var fits, devices []string
	named := false
	for _, p := range s.ports {
		onDevice := HCAItem{Name: item.Name}.Fits(l.Exact, p.Device, p.Number)
		if onDevice && !slices.Contains(devices, p.Device) {
			devices = append(devices, p.Device)
			named = named || p.Device == item.Name
		}
		if item.Fits(l.Exact, p.Device, p.Number) {
			fits = append(fits, p.Name())
		}
	}
	others := slices.DeleteFunc(slices.Clone(devices), func(d string) bool { return d == item.Name })
	switch {
	case len(devices) == 0:
		e.find(severityOf(l.Not), "", "no device of this host is called %s", item.Name)
	case len(fits) == 0:
		e.find(severityOf(l.Not), "", "%s has no port %d", strings.Join(devices, ", "), item.Port.Or(0))
	case named && len(others) > 0:
		e.find(Warning, s.exactly(l), "%s also matches %s", item.Name, strings.Join(others, ", "))
	}
}

// severityOf what is not there: to leave it out is harmless.
func severityOf(not bool) Severity {
	if not {
		return Note
	}
	return Error
}

// exactly is the value with exact names.
func (s settings) exactly(l HCAList) string {
	value := "="
	if l.Not {
		value = "^="
	}
	var names []string
	for _, i := range l.Items {
		name := i.Name
		if port, ok := i.Port.Get(); ok {
			name += fmt.Sprintf(":%d", port)
		}
		names = append(names, name)
	}
	return "NCCL_IB_HCA=" + value + strings.Join(names, ",")
}

func (s settings) judgeMixture(e *Explanation) {
	links := map[bool]bool{}
	for _, p := range s.ncclPorts() {
		links[p.roce()] = true
	}
	if len(links) > 1 {
		e.find(Note, "", "InfiniBand and RoCE ports are selected together")
	}
}

// ncclPorts are those that NCCL uses.
func (s settings) ncclPorts() (ports []Port) {
	value, _ := s.value("NCCL_IB_HCA")
	l := ParseHCAList(value)
	for _, p := range s.ports {
		if p.active() && l.Selects(p.Device, p.Number) {
			ports = append(ports, p)
		}
	}
	return ports
}

// search is what NCCL looks for by its variables.
func (s settings) search() GIDSearch {
	out := GIDSearch{Version: 2}
	if value, set := s.value("NCCL_IB_ROCE_VERSION_NUM"); set {
		n, _ := cNumber(value)
		out.Version = int(n)
	}
	value, _ := s.value("NCCL_IB_ADDR_FAMILY")
	out.IPv6 = value == "AF_INET6"
	value, _ = s.value("NCCL_IB_ADDR_RANGE")
	if r, err := ncclPrefix(value); err == nil && r.Addr().Is6() == out.IPv6 {
		out.Range = r
	}
	return out
}

func ncclPrefix(value string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(value)
	return p.Masked(), err
}

// cNumber reads a number as strtoll with base 0 does: what is none is 0.
func cNumber(text string) (n int64, whole bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 0, 64)
	if err == nil {
		return n, true
	}
	return int64(atoi(strings.TrimSpace(text))), false
}

func (s settings) ncclIndex(e *Explanation) {
	index := rdma.Opt[int64]{}
	if e.Value != "" {
		n, whole := cNumber(e.Value)
		index = rdma.Known(n)
		if !whole {
			e.find(Error, "", "it is not a number; NCCL reads %d", n)
		}
	}
	if n, set := index.Get(); set && n >= 0 {
		e.Meaning = fmt.Sprintf("index %d on every RoCE port that NCCL uses", n)
		s.noteIdle(e)
	} else {
		e.Meaning = "NCCL 2.21 and newer looks for a GID on each RoCE port; older ones use index 0"
	}
	var choices []Choice
	for _, p := range s.ncclPorts() {
		if !p.roce() {
			continue // InfiniBand's own rule
		}
		c := Choice{p, s.search().GID(p, index)}
		choices = append(choices, c)
		e.selectGID(c)
		e.judgeGID(p, c.Entry)
	}
	if len(choices) == 0 {
		e.find(Note, "", "NCCL uses no RoCE port here, and the index matters on RoCE alone")
	}
	if index.Or(-1) >= 0 {
		e.judgeAlike(choices)
	}
}

// noteIdle says which variables an index makes idle.
func (s settings) noteIdle(e *Explanation) {
	for _, name := range []string{"NCCL_IB_ROCE_VERSION_NUM", "NCCL_IB_ADDR_FAMILY", "NCCL_IB_ADDR_RANGE"} {
		if _, set := s.value(name); set {
			e.find(Note, "", "%s has no effect beside it", name)
		}
	}
}

func (s settings) ncclVersion(e *Explanation) {
	n, whole := cNumber(e.Value)
	e.Meaning = fmt.Sprintf("where NCCL looks for a GID by itself, of RoCE v%d", n)
	if !whole || n != 1 && n != 2 {
		e.find(Error, "NCCL_IB_ROCE_VERSION_NUM=2", "there is no RoCE v%s", e.Value)
	}
}

func (s settings) ncclFamily(e *Explanation) {
	switch e.Value {
	case "AF_INET":
		e.Meaning = "where NCCL looks for a GID by itself, of an IPv4 address"
	case "AF_INET6":
		e.Meaning = "where NCCL looks for a GID by itself, of an IPv6 address"
	default:
		e.Meaning = "it is taken for AF_INET"
		e.find(Error, "AF_INET or AF_INET6", "%s is not an address family that NCCL knows", e.Value)
	}
}

func (s settings) ncclRange(e *Explanation) {
	e.Meaning = "where NCCL looks for a GID by itself, of an address in " + e.Value
	r, err := ncclPrefix(e.Value)
	switch {
	case err != nil:
		e.find(Error, "", "%s is not a prefix such as 10.0.0.0/16: NCCL takes all addresses", e.Value)
		return
	case r.Addr().Is6() != s.search().IPv6:
		e.find(Error, "NCCL_IB_ADDR_FAMILY="+familyName(r.Addr().Is6()), "it is not of the family that NCCL looks for: NCCL takes all addresses")
		return
	}
	for _, p := range s.ncclPorts() {
		in := func(entry rdma.GIDEntry) bool { return r.Contains(entry.GID.Addr()) }
		if p.roce() && !p.Unread && !slices.ContainsFunc(p.Table, in) {
			e.find(Error, "", "%s has no address in it, and NCCL takes what is at index 0, %s", p.Name(), describe(p.Entry(0)))
		}
	}
}

func (s settings) ncclDisable(e *Explanation) {
	n, _ := cNumber(e.Value)
	if n == 0 {
		e.Meaning = "HCAs are used"
		return
	}
	e.Meaning = "no HCA is used, whatever else is set"
	e.find(Warning, "unset NCCL_IB_DISABLE", "NCCL uses sockets alone")
}

func (s settings) ncclNet(e *Explanation) {
	e.Meaning = "only the network called " + e.Value + " is used: IB is the one of HCAs, Socket that of sockets, others are plugins"
	if strings.EqualFold(e.Value, "socket") {
		e.find(Warning, "unset NCCL_NET, or NCCL_NET=IB", "no HCA is used")
	}
}

func (s settings) ncclSocket(e *Explanation) {
	e.Meaning = "which interfaces NCCL uses for its own meeting, and for data without HCAs; it selects no HCA"
}

// trafficClass is the same for both libraries.
func (s settings) trafficClass(e *Explanation) {
	n, whole := cNumber(e.Value)
	switch {
	case e.Value == "auto" && strings.HasPrefix(e.Variable, "UCX_"):
		e.Meaning = "the traffic class is UCX's choice"
	case !whole || n < 0 || n > 255:
		e.Meaning = "the traffic class"
		e.find(Error, "", "%s is not a traffic class: want 0 to 255", e.Value)
	default:
		e.Meaning = fmt.Sprintf("traffic class %d: DSCP %d, ECN %s", n, n>>2, ecnNames[n&3])
		if n&3 == 3 {
			e.find(Warning, fmt.Sprint(n&^1), "every packet says that it has met congestion")
		}
	}
}

// ecnNames are those of RFC 3168, by value.
var ecnNames = [4]string{"Not-ECT", "ECT(1)", "ECT(0)", "CE"}
