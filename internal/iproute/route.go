package iproute

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Route is what the routing tables say of the way to an address.
type Route struct {
	Netdev      string
	NetdevIndex int
	Source      netip.Addr
	Gateway     netip.Addr // invalid: the destination is a neighbour
	// Match and Rule are in the words of ip-route(8) and ip-rule(8): the entry
	// that matched, and the rule that led to its table.
	Match, Rule string
}

// Lookup asks the routing tables of the calling thread's network namespace
// (RTM_GETROUTE). The source may be invalid: then the kernel chooses one. A
// link-local destination has its interface's index as its zone.
func Lookup(source, destination netip.Addr) (Route, error) {
	options := &netlink.RouteGetOptions{OifIndex: zoneIndex(destination)}
	if source.IsValid() && !source.IsUnspecified() {
		options.SrcAddr = source.AsSlice()
	}
	routes, err := netlink.RouteGetWithOptions(destination.AsSlice(), options)
	if err != nil {
		return Route{}, fmt.Errorf("look up the route to %v: %w", destination, err)
	}
	if len(routes) == 0 {
		return Route{}, fmt.Errorf("look up the route to %v: %w", destination, unix.ENETUNREACH)
	}
	found := Route{
		NetdevIndex: routes[0].LinkIndex,
		Netdev:      linkName(routes[0].LinkIndex),
		Source:      AddrFrom(routes[0].Src),
		Gateway:     AddrFrom(routes[0].Gw),
	}
	if options.SrcAddr != nil {
		found.Source = source.WithZone("")
	}
	found.explain(options, destination)
	return found, nil
}

// explain finds out which entry matched and which rule led to it. A kernel that
// does not tell (before 4.13 for IPv4, 4.17 for IPv6) leaves both unsaid.
func (r *Route) explain(options *netlink.RouteGetOptions, destination netip.Addr) {
	match := *options
	match.FIBMatch = true
	entries, err := netlink.RouteGetWithOptions(destination.AsSlice(), &match)
	if err != nil || len(entries) == 0 {
		return
	}
	entry := entries[0]
	entry.Table = tableOf(entry)
	r.Match = routeText(entry, r.Netdev)
	rules, err := netlink.RuleList(family(destination))
	if err != nil {
		return
	}
	if rule, ok := decidingRule(rules, AddrFrom(options.SrcAddr), destination, entry.Table); ok {
		r.Rule = ruleText(rule)
	}
}

// tableOf returns the table that an entry belongs to. While there are no rules but
// the usual ones, the kernel keeps the entries of table local in main, and says so
// (net/ipv4/fib_trie.c, fib_trie_unmerge).
func tableOf(entry netlink.Route) int {
	if entry.Table == unix.RT_TABLE_MAIN && (entry.Type == unix.RTN_LOCAL || entry.Type == unix.RTN_BROADCAST) {
		return unix.RT_TABLE_LOCAL
	}
	return entry.Table
}

func family(ip netip.Addr) int {
	if ip.Unmap().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// AddrFrom returns ip as a netip.Addr, IPv4 unmapped; the zero Addr for none.
func AddrFrom(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// zoneIndex returns the interface index that stands as zone; 0 for none.
func zoneIndex(ip netip.Addr) int {
	index, _ := strconv.Atoi(ip.Zone())
	return index
}

func linkName(index int) string {
	if link, err := net.InterfaceByIndex(index); err == nil {
		return link.Name
	}
	return ""
}

// decidingRule returns the first rule that fits a packet of this host's own and
// looks into the table where the route was found.
func decidingRule(rules []netlink.Rule, source, destination netip.Addr, table int) (netlink.Rule, bool) {
	for _, rule := range rules {
		if rule.Table == table && ruleFits(rule, source, destination) {
			return rule, true
		}
	}
	return netlink.Rule{}, false
}

// ruleFits leaves aside what a connection manager's packets do not have: marks,
// ports, an input interface.
func ruleFits(rule netlink.Rule, source, destination netip.Addr) bool {
	if rule.Mark != 0 || rule.IifName != "" && rule.IifName != "lo" || rule.OifName != "" || rule.Sport != nil || rule.Dport != nil || rule.IPProto != 0 {
		return false
	}
	return (contains(rule.Src, source) && contains(rule.Dst, destination)) != rule.Invert
}

// contains tells whether prefix, if there is one, covers ip.
func contains(prefix *net.IPNet, ip netip.Addr) bool {
	if prefix == nil || prefix.IP == nil {
		return true
	}
	return ip.IsValid() && prefix.Contains(ip.AsSlice())
}

func ruleText(rule netlink.Rule) string {
	words := []string{fmt.Sprintf("%d:", max(rule.Priority, 0))}
	if rule.Invert {
		words = append(words, "not")
	}
	words = append(words, "from", prefixText(rule.Src, "all"))
	if rule.Dst != nil && rule.Dst.IP != nil {
		words = append(words, "to", prefixText(rule.Dst, "all"))
	}
	return strings.Join(append(words, "lookup", tableText(rule.Table)), " ")
}

// routeTypes are those of ip-route(8) that a destination can have and be
// reached; unicast goes without saying.
var routeTypes = map[int]string{unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast"}

func routeText(r netlink.Route, netdev string) string {
	var words []string
	if name, ok := routeTypes[r.Type]; ok {
		words = append(words, name)
	}
	words = append(words, prefixText(r.Dst, "default"))
	if gw := AddrFrom(r.Gw); gw.IsValid() {
		words = append(words, "via", gw.String())
	}
	if netdev != "" {
		words = append(words, "dev", netdev)
	}
	words = append(words, "table", tableText(r.Table))
	if r.Priority != 0 {
		words = append(words, "metric", strconv.Itoa(r.Priority))
	}
	return strings.Join(words, " ")
}

// prefixText writes a prefix as iproute2 does: a host without its length.
func prefixText(prefix *net.IPNet, everything string) string {
	if prefix == nil || prefix.IP == nil {
		return everything
	}
	ones, bits := prefix.Mask.Size()
	switch {
	case ones == 0 && prefix.IP.IsUnspecified():
		return everything
	case ones == bits:
		return prefix.IP.String()
	}
	return prefix.String()
}

func tableText(table int) string {
	switch table {
	case unix.RT_TABLE_LOCAL:
		return "local"
	case unix.RT_TABLE_MAIN:
		return "main"
	case unix.RT_TABLE_DEFAULT:
		return "default"
	}
	return strconv.Itoa(table)
}

// NetdevOf returns the first netdev of this namespace that has the address, or "".
func NetdevOf(ip netip.Addr) string {
	links, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && AddrFrom(n.IP) == ip.WithZone("").Unmap() {
				return link.Name
			}
		}
	}
	return ""
}
