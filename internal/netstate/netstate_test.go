package netstate_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

func TestMAC(t *testing.T) {
	m, err := netstate.ParseMAC("02:00:00:00:0a:ff")
	if err != nil || m != (netstate.MAC{2, 0, 0, 0, 10, 255}) || m.String() != "02:00:00:00:0a:ff" {
		t.Errorf("got %v, %v", m, err)
	}
	for _, bad := range []string{"", "02:00:00:00:00", "02:00:00:00:00:0a:0b", "0200:00:00:00:0a:", "x2:00:00:00:00:0a"} {
		if m, err := netstate.ParseMAC(bad); err == nil {
			t.Errorf("ParseMAC(%q) = %v", bad, m)
		}
	}
}

func TestAddr(t *testing.T) {
	ip := netip.MustParseAddr
	for _, tt := range []struct {
		addr   netstate.Addr
		text   string
		prefix string
	}{
		{netstate.Addr{Local: ip("10.0.0.1"), Bits: 24}, "10.0.0.1/24", "10.0.0.0/24"},
		{netstate.Addr{Local: ip("10.0.0.1"), Peer: ip("10.9.0.2"), Bits: 32}, "10.0.0.1 peer 10.9.0.2/32", "10.9.0.2/32"},
	} {
		if got := tt.addr.String(); got != tt.text {
			t.Errorf("text %q, want %q", got, tt.text)
		}
		if got := tt.addr.Prefix().String(); got != tt.prefix {
			t.Errorf("prefix %q, want %q", got, tt.prefix)
		}
	}
}

// A recorded snapshot is what was recorded.
func TestSnapshotSurvivesJSON(t *testing.T) {
	mac := rdma.Known(netstate.MAC{2, 0, 0, 0, 0, 10})
	want := netstate.Snapshot{Partial: true, Namespaces: []netstate.Namespace{{ID: 7, Name: "blue", Path: "/run/netns/blue", Netdevs: []netstate.Netdev{
		{Ref: netstate.Ref{Netns: 7, Index: 1}, Name: "lo", Link: netstate.Loopback},
		{Ref: netstate.Ref{Netns: 7, Index: 2}, Name: "bond0", Kind: "bond", Link: netstate.Ethernet, MAC: mac, MTU: 1500, Up: true, Running: true,
			Bond: &netstate.Bond{Mode: "active-backup", Active: 3}, Addrs: []netstate.Addr{{Local: netip.MustParseAddr("10.0.0.1"), Bits: 24, Flags: 0x80}}},
		{Ref: netstate.Ref{Netns: 7, Index: 4}, Name: "v", Kind: "vlan", Link: netstate.Ethernet, MAC: mac, VLAN: rdma.Known(uint16(5)), Lower: netstate.Ref{Netns: 7, Index: 2}},
	}}}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got netstate.Snapshot
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v\n%s", got, err, want, text)
	}
	if n := got.Find(7).Netdev("v"); n == nil || n.Index != 4 || got.Find(8) != nil || got.Find(7).Netdev("w") != nil {
		t.Errorf("found %+v", n)
	}
}
