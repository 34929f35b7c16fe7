package sourcegid

import (
	"net/netip"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestFirst(t *testing.T) {
	v1, v2 := rdma.GIDTypeIBOrRoCEv1, rdma.GIDTypeRoCEv2
	a, local := rdma.GIDFromAddr(netip.MustParseAddr("10.1.1.1")), rdma.GID{0xfe, 0x80, 15: 1}
	entries := []rdma.GIDEntry{
		{Index: 0, GID: local, Type: v1, Netdev: "eth0"}, {Index: 1, GID: local, Type: v2, Netdev: "eth0"},
		{Index: 4, GID: a, Type: v1, Netdev: "eth0.100"}, {Index: 5, GID: a, Type: v2, Netdev: "eth0.100"},
		{Index: 6, GID: a, Type: v1, Netdev: "eth0"}, {Index: 7, GID: a, Type: v2, Netdev: "eth0"}, {Index: 9, GID: a, Type: v2, Netdev: "eth0"},
	}
	tests := []struct {
		gid    rdma.GID
		typ    rdma.GIDType
		netdev string
		want   uint32
		ok     bool
	}{
		{local, v2, "eth0", 1, true},
		{a, v2, "eth0", 7, true},
		{a, v1, "eth0", 6, true},
		{a, v2, "eth0.100", 5, true},
		{a, v2, "eth1", 0, false},
		{rdma.GID{1}, v2, "eth0", 0, false},
	}
	for _, tt := range tests {
		if got, ok := First(entries, tt.gid, tt.typ, tt.netdev); got != tt.want || ok != tt.ok {
			t.Errorf("%v %s on %s: %d, %v; want %d, %v", tt.gid, tt.typ, tt.netdev, got, ok, tt.want, tt.ok)
		}
	}
	ib := []rdma.GIDEntry{{Index: 0, GID: local, Type: v1}}
	if got, ok := First(ib, local, v1, "ib0"); !ok || got != 0 {
		t.Errorf("InfiniBand: %d, %v", got, ok)
	}
}
