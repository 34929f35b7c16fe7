package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

func TestLabLinkKinds(t *testing.T) {
	lab.Topology{
		Namespaces: []string{"blue"},
		Links: []lab.Link{
			{Name: "eth0", Kind: lab.Dummy{}, MAC: "02:00:00:00:00:0a", MTU: 4000},
			{Name: "eth0.100", Kind: lab.VLAN{Parent: "eth0", ID: 100}},
			{Name: "eth0.100.7", Kind: lab.VLAN{Parent: "eth0.100", ID: 7}, Down: true},
			{Name: "macvlan0", Kind: lab.Macvlan{Parent: "eth0", Mode: "private"}, MAC: "02:00:00:00:00:0b"},
			{Name: "macvlan1", Kind: lab.Macvlan{Parent: "eth0"}, Netns: "blue"},
			{Name: "br0", Kind: lab.Bridge{}},
			{Name: "eth1", Kind: lab.Dummy{}, Master: "br0"},
			{Name: "vrf0", Kind: lab.VRF{Table: 10}},
			{Name: "eth2", Kind: lab.Dummy{}, Master: "vrf0", Down: true},
			{Name: "veth0", Kind: lab.Veth{Peer: "veth1"}},
			{Name: "veth1", Kind: lab.PeerOf{Veth: "veth0"}, Netns: "blue", MAC: "02:00:00:00:00:0c", MTU: 1400},
		},
	}.Up(t)
	host, blue := ipLinks(t, ""), ipLinks(t, "blue")

	for _, want := range []struct {
		links                      map[string]ipLink
		name, kind, parent, master string
		key                        string
		value                      any
	}{
		{links: host, name: "eth0", kind: "dummy"},
		{links: host, name: "eth0.100", kind: "vlan", parent: "eth0", key: "id", value: 100.0},
		{links: host, name: "eth0.100.7", kind: "vlan", parent: "eth0.100", key: "id", value: 7.0},
		{links: host, name: "macvlan0", kind: "macvlan", parent: "eth0", key: "mode", value: "private"},
		{links: blue, name: "macvlan1", kind: "macvlan", key: "mode", value: "bridge"},
		{links: host, name: "br0", kind: "bridge"},
		{links: host, name: "eth1", kind: "dummy", master: "br0"},
		{links: host, name: "vrf0", kind: "vrf", key: "table", value: 10.0},
		{links: host, name: "eth2", kind: "dummy", master: "vrf0"},
		{links: host, name: "veth0", kind: "veth"},
		{links: blue, name: "veth1", kind: "veth"},
	} {
		l, there := want.links[want.name]
		if !there || l.LinkInfo.Kind != want.kind || l.Parent != want.parent || l.Master != want.master {
			t.Errorf("%s: there %v, kind %q, parent %q, master %q; want %+v", want.name, there, l.LinkInfo.Kind, l.Parent, l.Master, want)
		}
		if got := l.LinkInfo.Data[want.key]; want.key != "" && got != want.value {
			t.Errorf("%s: %s is %v, want %v", want.name, want.key, got, want.value)
		}
	}
	checkMACAndMTU(t, host["eth0"], "02:00:00:00:00:0a", 4000)
	checkMACAndMTU(t, host["macvlan0"], "02:00:00:00:00:0b", 4000)
	checkMACAndMTU(t, blue["veth1"], "02:00:00:00:00:0c", 1400)
	for name, l := range host {
		down := name == "eth2" || name == "eth0.100.7"
		if slices.Contains(l.Flags, "UP") == down {
			t.Errorf("%s: flags %v, want down %v", name, l.Flags, down)
		}
	}
}

func checkMACAndMTU(t *testing.T, l ipLink, mac string, mtu int) {
	t.Helper()
	if l.MAC != mac || l.MTU != mtu {
		t.Errorf("%s: MAC %s, MTU %d; want %s, %d", l.Name, l.MAC, l.MTU, mac, mtu)
	}
}

func TestLabBondModes(t *testing.T) {
	modes := []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	var tp lab.Topology
	for i, mode := range modes {
		bond, slave := fmt.Sprintf("bond%d", i), fmt.Sprintf("eth%d", i)
		tp.Links = append(tp.Links, lab.Link{Name: bond, Kind: lab.Bond{Mode: mode}}, lab.Link{Name: slave, Kind: lab.Dummy{}, Master: bond})
	}
	tp.Up(t)
	links := ipLinks(t, "")
	for i, mode := range modes {
		bond, slave := links[fmt.Sprintf("bond%d", i)], links[fmt.Sprintf("eth%d", i)]
		if got := bond.LinkInfo.Data["mode"]; got != mode {
			t.Errorf("%s: mode %v, want %s", bond.Name, got, mode)
		}
		if slave.Master != bond.Name || slave.LinkInfo.SlaveKind != "bond" {
			t.Errorf("%s: slave of %q, a %q; want %s", slave.Name, slave.Master, slave.LinkInfo.SlaveKind, bond.Name)
		}
	}
}

func TestLabAddresses(t *testing.T) {
	lab.Topology{
		Namespaces: []string{"blue"},
		Links: []lab.Link{
			{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24", "2001:db8::1/64", "10.0.0.1 peer 10.0.0.2/32"}},
			{Name: "eth1", Kind: lab.Dummy{}, Netns: "blue", Addrs: []string{"192.0.2.1/24", "2001:db8::1 peer 2001:db8::2/128"}},
		},
	}.Up(t)
	checkAddresses(t, ipLinks(t, "")["eth0"], "192.0.2.1/24", "10.0.0.1 peer 10.0.0.2/32", "2001:db8::1/64")
	checkAddresses(t, ipLinks(t, "blue")["eth1"], "192.0.2.1/24", "2001:db8::1 peer 2001:db8::2/128")
}

// checkAddresses compares a link's addresses, but for the link-local one that it gives itself.
func checkAddresses(t *testing.T, l ipLink, want ...string) {
	t.Helper()
	var got []string
	for _, a := range l.AddrInfos {
		if a.Tentative {
			t.Errorf("%s: %s is tentative: there shall be no duplicate address detection", l.Name, a.Local)
		}
		switch {
		case a.Scope == "link":
		case a.Peer != "":
			got = append(got, fmt.Sprintf("%s peer %s/%d", a.Local, a.Peer, a.PrefixLen))
		default:
			got = append(got, fmt.Sprintf("%s/%d", a.Local, a.PrefixLen))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: addresses %q, want %q", l.Name, got, want)
	}
}
