package roce

import (
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/rtevent"
)

// host is: eth0 and eth1 in bond0, bond0.7 on it, br0 over that; eth2 with eth2.9.
func hostTopology() *topology {
	t := &topology{links: map[uint32]rtevent.Link{}}
	for _, l := range []rtevent.Link{
		{Index: 1, Name: "eth0", Master: 10}, {Index: 2, Name: "eth1", Master: 10}, {Index: 3, Name: "eth2"},
		{Index: 10, Name: "bond0"}, {Index: 11, Name: "bond0.7", Lower: 10, Master: 12}, {Index: 12, Name: "br0"},
		{Index: 13, Name: "eth2.9", Lower: 3},
	} {
		t.links[l.Index] = l
	}
	return t
}

func TestTopology(t *testing.T) {
	ports := []rdma.Port{
		{Number: 1, Netdev: "eth0", NetdevIndex: rdma.Known[uint32](1)}, {Number: 2, Netdev: "eth1", NetdevIndex: rdma.Known[uint32](2)},
		{Number: 3, Netdev: "eth2", NetdevIndex: rdma.Known[uint32](3)}, {Number: 4}, // 4: not known
		{Number: 5, LinkLayer: rdma.LinkLayerInfiniBand},
		{Number: 6, Netdev: "bond0", NetdevIndex: rdma.Known[uint32](10)},
	}
	tests := []struct {
		what  string
		event rtevent.Event
		want  []uint32
	}{
		{"an address on a VLAN of the bond", rtevent.Event{Kind: rtevent.Touched, Index: 11}, []uint32{1, 2, 4, 6}},
		{"an address on the bridge", rtevent.Event{Kind: rtevent.Touched, Index: 12}, []uint32{1, 2, 4, 6}},
		{"a slave", rtevent.Event{Kind: rtevent.LinkSet, Index: 1, Link: rtevent.Link{Index: 1, Name: "eth0", Master: 10}}, []uint32{1, 4, 6}},
		{"a VLAN elsewhere", rtevent.Event{Kind: rtevent.Touched, Index: 13}, []uint32{3, 4}},
		{"a slave that changes over", rtevent.Event{Kind: rtevent.LinkSet, Index: 3, Link: rtevent.Link{Index: 3, Name: "eth2", Master: 10}}, []uint32{3, 4, 6}},
		{"the bond, after that", rtevent.Event{Kind: rtevent.Touched, Index: 10}, []uint32{1, 2, 3, 4, 6}},
		{"a VLAN that goes", rtevent.Event{Kind: rtevent.LinkGone, Index: 11, Link: rtevent.Link{Index: 11, Name: "bond0.7"}}, []uint32{1, 2, 3, 4, 6}},
		{"the bridge, after that", rtevent.Event{Kind: rtevent.Touched, Index: 12}, []uint32{4}},
		{"an interface of another namespace", rtevent.Event{Kind: rtevent.Touched, Index: 1, Elsewhere: true}, []uint32{1, 2, 3, 4, 5, 6}},
		{"a vxlan, which lies on who knows what", rtevent.Event{Kind: rtevent.LinkSet, Index: 21, Link: rtevent.Link{Index: 21, Name: "vx", Kind: "vxlan"}}, []uint32{1, 2, 3, 4, 6}},
		{"an address on it", rtevent.Event{Kind: rtevent.Touched, Index: 21}, []uint32{1, 2, 3, 4, 6}},
		{"a pair of its own", rtevent.Event{Kind: rtevent.LinkSet, Index: 22, Link: rtevent.Link{Index: 22, Name: "veth9", Kind: "veth"}}, []uint32{4}},
		{"a new VLAN", rtevent.Event{Kind: rtevent.LinkSet, Index: 20, Link: rtevent.Link{Index: 20, Name: "eth1.5", Lower: 2}}, []uint32{2, 4}},
	}
	top := hostTopology()
	for _, tt := range tests {
		concerned := top.note(tt.event)
		var got []uint32
		for _, p := range ports {
			if concerned(p, nil) {
				got = append(got, p.Number)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: ports %v, want %v", tt.what, got, tt.want)
		}
	}
	table := []rdma.GIDEntry{{Netdev: "macvlan0"}}
	concerned := top.note(rtevent.Event{Kind: rtevent.LinkSet, Index: 30, Link: rtevent.Link{Index: 30, Name: "macvlan0"}})
	if !concerned(ports[2], table) || concerned(ports[2], nil) {
		t.Error("a port is concerned by the interfaces that its table names")
	}
}
