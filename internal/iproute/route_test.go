package iproute

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func prefix(t *testing.T, text string) *net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The rules of the one-namespace recipe, and some that never decide.
func TestDecidingRule(t *testing.T) {
	rules := []netlink.Rule{
		{Priority: 10, IifName: "va", Dst: prefix(t, "10.1.1.1/32"), Table: unix.RT_TABLE_LOCAL},
		{Priority: 15, Mark: 7, Table: 100},
		{Priority: 20, Src: prefix(t, "10.1.1.1/32"), Dst: prefix(t, "10.1.1.2/32"), Table: 100},
		{Priority: 21, Src: prefix(t, "10.1.1.2/32"), Dst: prefix(t, "10.1.1.1/32"), Table: 200},
		{Priority: 100, Table: unix.RT_TABLE_LOCAL},
		{Priority: 30000, Invert: true, Src: prefix(t, "10.1.1.0/24"), Table: 200},
		{Priority: 32766, Table: unix.RT_TABLE_MAIN},
	}
	a, b, c := netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.2"), netip.MustParseAddr("192.0.2.1")
	tests := []struct {
		source, destination netip.Addr
		table               int
		want                string
	}{
		{a, b, 100, "20: from 10.1.1.1 to 10.1.1.2 lookup 100"},
		{b, a, 200, "21: from 10.1.1.2 to 10.1.1.1 lookup 200"},
		{netip.Addr{}, b, 100, ""},
		{netip.Addr{}, b, unix.RT_TABLE_LOCAL, "100: from all lookup local"},
		{c, b, 200, "30000: not from 10.1.1.0/24 lookup 200"},
		{c, b, unix.RT_TABLE_MAIN, "32766: from all lookup main"},
		{a, b, 77, ""},
	}
	for _, tt := range tests {
		rule, ok := decidingRule(rules, tt.source, tt.destination, tt.table)
		got := ""
		if ok {
			got = ruleText(rule)
		}
		if got != tt.want {
			t.Errorf("%v to %v in table %d: %q, want %q", tt.source, tt.destination, tt.table, got, tt.want)
		}
	}
}

// The first rule, whose priority 0 the kernel leaves out, comes as -1.
func TestRulePriorityZero(t *testing.T) {
	if got := ruleText(netlink.Rule{Priority: -1, Table: unix.RT_TABLE_LOCAL}); got != "0: from all lookup local" {
		t.Errorf("%q", got)
	}
}

func TestRouteText(t *testing.T) {
	tests := []struct {
		route netlink.Route
		want  string
	}{
		{netlink.Route{Dst: prefix(t, "10.1.1.0/24"), Table: 100, Type: unix.RTN_UNICAST}, "10.1.1.0/24 dev va table 100"},
		{netlink.Route{Gw: net.ParseIP("10.1.1.254"), Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Priority: 100}, "default via 10.1.1.254 dev va table main metric 100"},
		{netlink.Route{Dst: prefix(t, "0.0.0.0/0"), Table: unix.RT_TABLE_MAIN}, "default dev va table main"},
		{netlink.Route{Dst: prefix(t, "10.1.1.2/32"), Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL}, "local 10.1.1.2 dev va table local"},
		{netlink.Route{Dst: prefix(t, "fe80::/64"), Table: unix.RT_TABLE_MAIN, Priority: 256}, "fe80::/64 dev va table main metric 256"},
	}
	for _, tt := range tests {
		if got := routeText(tt.route, "va"); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Reading the routes of this machine changes nothing: its loopback is always there.
func TestLookup(t *testing.T) {
	found, err := Lookup(netip.Addr{}, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if found.Netdev != "lo" || found.Source != netip.MustParseAddr("127.0.0.1") || found.Gateway.IsValid() {
		t.Errorf("%+v", found)
	}
}
