package roce

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

const (
	v1 = rdma.GIDTypeIBOrRoCEv1
	v2 = rdma.GIDTypeRoCEv2
)

// slot is a candidate on a port that is up, and whose connections use v2.
func slot(device string, order, port, index uint32, ip string, typ rdma.GIDType, netdev string) candidate {
	return candidate{
		entry: rdma.GIDEntry{Device: device, Port: port, Index: index, GID: rdma.GIDFromAddr(netip.MustParseAddr(ip)), Type: typ, Netdev: netdev},
		link:  rdma.LinkLayerEthernet, state: rdma.Known(rdma.PortActive), order: order,
	}
}

// twoHCAs have what usually lies in a table, and one address on both.
func twoHCAs() []candidate {
	return []candidate{
		slot("a", 1, 1, 0, "fe80::1", v1, "eth0"), slot("a", 1, 1, 1, "fe80::1", v2, "eth0"),
		slot("a", 1, 1, 2, "2001:db8::1", v1, "eth0"), slot("a", 1, 1, 3, "2001:db8::1", v2, "eth0"),
		slot("a", 1, 1, 4, "10.0.0.1", v1, "eth0"), slot("a", 1, 1, 5, "10.0.0.1", v2, "eth0"),
		slot("a", 1, 1, 6, "10.0.7.1", v1, "eth0.7"), slot("a", 1, 1, 7, "10.0.7.1", v2, "eth0.7"),
		slot("a", 1, 2, 1, "fe80::2", v2, "eth1"),
		slot("b", 2, 1, 1, "10.0.0.1", v2, "eth0"), slot("b", 2, 1, 2, "10.0.2.1", v2, "eth2"),
	}
}

func connection(ip, over string) question {
	return question{from: netip.MustParseAddr(ip), connection: true, gid: rdma.GIDFromAddr(netip.MustParseAddr(ip)), over: over}
}

func TestChoose(t *testing.T) {
	tests := []struct {
		what    string
		q       question
		change  func(*candidate)
		want    string
		against map[string]string // place → part of the reason
	}{
		{"the best of all", question{}, nil, "a/1/5", map[string]string{
			"a/1/0": "RoCE v1 with a link-local address; a/1/5 is RoCE v2 with an IPv4", "a/1/7": "as good as a/1/5, which comes first",
			"a/1/3": "routable IPv6", "a/1/4": "RoCE v1 with an IPv4", "b/1/2": "as good as"}},
		{"of a VLAN", question{netdev: "eth0.7"}, nil, "a/1/7", map[string]string{"a/1/5": "on eth0, not on eth0.7", "a/1/6": "RoCE v1"}},
		{"of nothing", question{netdev: "eth9"}, nil, "", map[string]string{"a/1/5": "on eth0, not on eth9"}},
		{"of type v1", question{typ: v1}, func(c *candidate) { c.used = v1 }, "a/1/4", map[string]string{"a/1/5": "RoCE v2, not IB/RoCE v1"}},
		{"a port that is down", question{}, func(c *candidate) {
			if c.entry.Device == "a" {
				c.state = rdma.Known(rdma.PortDown)
			}
		}, "b/1/1", map[string]string{"a/1/5": "the port is DOWN"}},
		{"ports of unknown state", question{}, func(c *candidate) { c.state = rdma.Opt[rdma.PortState]{} }, "a/1/5", nil},
		{"a connection", connection("10.0.0.1", "eth0"), func(c *candidate) { c.used = v2 }, "a/1/5", map[string]string{
			"a/1/4": "connections of the port use RoCE v2", "a/1/7": "on eth0.7, and 10.0.0.1 is on eth0",
			"a/1/3": "another one, 10.0.0.1", "b/1/1": "the kernel takes the first: a/1/5"}},
		{"a connection on a port that is down", connection("10.0.2.1", "eth2"), func(c *candidate) { c.state = rdma.Known(rdma.PortDown) }, "b/1/2", nil},
		{"a connection of v1 ports", connection("10.0.7.1", "eth0.7"), func(c *candidate) { c.used = v1 }, "a/1/6", nil},
		{"link-local", connection("fe80::2", "eth1"), nil, "a/2/1", nil},
		{"an address on another netdev", connection("10.0.0.1", "eth5"), nil, "", nil},
		{"types that are not known", question{}, func(c *candidate) { c.entry.Type = "" }, "", map[string]string{"a/1/5": "not known"}},
	}
	for _, tt := range tests {
		all := twoHCAs()
		for i := range all {
			if tt.change != nil {
				tt.change(&all[i])
			}
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		tt.q.choose(all)
		checkChoice(t, tt.what, all, tt.want, tt.against)
	}
}

// checkChoice also sees to it that one at most is chosen, and that each has a reason.
func checkChoice(t *testing.T, what string, all []candidate, want string, against map[string]string) {
	t.Helper()
	chosen := ""
	for _, c := range all {
		if c.chosen {
			chosen += c.place()
		}
		if c.reason == "" {
			t.Errorf("%s: %s: no reason", what, c.place())
		}
		if part, ok := against[c.place()]; ok && (c.chosen || !strings.Contains(c.reason, part)) {
			t.Errorf("%s: %s: %q, want %q in it", what, c.place(), c.reason, part)
		}
	}
	if chosen != want {
		t.Errorf("%s: chose %q, want %q", what, chosen, want)
	}
	if !slices.IsSortedFunc(all, candidate.compareSlots) {
		t.Errorf("%s: not in the order of slots", what)
	}
}

func TestPathMTU(t *testing.T) {
	// What the kernels of the lab used: 1500, 2200, 4200, 9000; and the limits of iboe_get_mtu.
	for netdev, want := range map[uint32]uint32{1500: 1024, 2200: 2048, 4200: 4096, 9000: 4096, 1119: 512, 1120: 1024, 352: 256, 351: 0} {
		if got := pathMTU(rdma.Known(netdev)).Or(0); got != want {
			t.Errorf("netdev MTU %d: path MTU %d, want %d", netdev, got, want)
		}
	}
	if pathMTU(rdma.Opt[uint32]{}).IsKnown() {
		t.Error("a path MTU of an unknown one")
	}
}
