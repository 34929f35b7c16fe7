package sourcegid

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestClassOf(t *testing.T) {
	const eth, ib = rdma.LinkLayerEthernet, rdma.LinkLayerInfiniBand
	v1, v2 := rdma.GIDTypeIBOrRoCEv1, rdma.GIDTypeRoCEv2
	for _, tt := range []struct {
		ip   string
		typ  rdma.GIDType
		link rdma.LinkLayer
		want Class
	}{
		{"10.0.0.1", v2, eth, V2IPv4},
		{"2001:db8::1", v2, eth, V2IPv6},
		{"fe80::1", v2, eth, V2LinkLocal},
		{"10.0.0.1", v1, eth, V1IPv4},
		{"fd00::1", v1, eth, V1IPv6},
		{"fe80::1", v1, eth, V1LinkLocal},
		{"fe80::1", v1, ib, InfiniBand},
		{"10.0.0.1", v2, "", V2IPv4},
		{"10.0.0.1", "", eth, Unusable},
		{"10.0.0.1", "RoCE v3", eth, Unusable},
		{"::", v2, eth, Unusable},
	} {
		e := rdma.GIDEntry{GID: rdma.GIDFromAddr(netip.MustParseAddr(tt.ip)), Type: tt.typ}
		if got := ClassOf(e, tt.link); got != tt.want {
			t.Errorf("%s %q on %q: %v, want %v", tt.ip, tt.typ, tt.link, got, tt.want)
		}
	}
}

// The order does not depend on the order of the table.
func TestCompare(t *testing.T) {
	var want []rdma.GIDEntry
	for i, ip := range []string{"10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1"} {
		for _, typ := range []rdma.GIDType{rdma.GIDTypeRoCEv2, rdma.GIDTypeIBOrRoCEv1} {
			want = append(want, rdma.GIDEntry{Index: uint32(9 - i), GID: rdma.GIDFromAddr(netip.MustParseAddr(ip)), Type: typ})
		}
	}
	order := []int{2, 0, 4, 6, 3, 1, 5, 7} // of two IPv4 addresses, the lower index
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, func(a, b rdma.GIDEntry) int { return Compare(a, b, rdma.LinkLayerEthernet) })
	for i, e := range got {
		if e != want[order[i]] {
			t.Errorf("place %d: %+v, want %+v", i, e, want[order[i]])
		}
	}
}
