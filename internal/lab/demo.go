package lab

import "fmt"

// Topologies returns the ready-made topologies by name, for commands that are not tests.
func Topologies() map[string]Topology {
	return map[string]Topology{"none": {}, "demo": Demo(), "bench": Bench()}
}

// Demo is a topology with a bit of everything that shapes a GID table: five HCAs, two of them on the slaves of a bond and one in
// another namespace, with VLANs, a macvlan, and addresses of both families.
func Demo() Topology {
	return Topology{
		Namespaces: []string{"blue"},
		Links: []Link{
			{Name: "eth0", Kind: Dummy{}, Addrs: []string{"192.0.2.10/24", "2001:db8:0:1::10/64"}},
			{Name: "eth0.100", Kind: VLAN{Parent: "eth0", ID: 100}, Addrs: []string{"198.51.100.10/24", "2001:db8:0:100::10/64"}},
			{Name: "bond0", Kind: Bond{Mode: "active-backup"}, Addrs: []string{"203.0.113.10/24", "2001:db8:0:2::10/64"}},
			{Name: "eth1", Kind: Dummy{}, Master: "bond0"},
			{Name: "eth2", Kind: Dummy{}, Master: "bond0"},
			{Name: "bond0.200", Kind: VLAN{Parent: "bond0", ID: 200}, Addrs: []string{"10.0.200.10/24"}},
			{Name: "eth3", Kind: Dummy{}, MTU: 9000, Addrs: []string{"10.0.3.10/24"}},
			{Name: "macvlan0", Kind: Macvlan{Parent: "eth3"}, Addrs: []string{"10.0.3.11/24"}},
			{Name: "veth0", Kind: Veth{Peer: "veth1"}, Addrs: []string{"10.0.4.1/24"}},
			{Name: "veth1", Kind: PeerOf{Veth: "veth0"}, Netns: "blue", Addrs: []string{"10.0.4.2/24", "2001:db8:0:4::2/64"}},
		},
		HCAs: demoHCAs("eth0", "eth1", "eth2", "eth3", "veth1"),
	}
}

// Bench is a topology of four ports with few GIDs each, as most tables are: what takes time is looking at the empty slots.
func Bench() Topology {
	t := Topology{HCAs: demoHCAs("eth0", "eth1", "eth2", "eth3")}
	for i, hca := range t.HCAs {
		t.Links = append(t.Links, Link{Name: hca.Netdev, Kind: Dummy{}, Addrs: []string{
			fmt.Sprintf("10.0.%d.1/24", i), fmt.Sprintf("2001:db8:0:%d::1/64", i)}})
	}
	return t
}

func demoHCAs(netdevs ...string) []HCA {
	var out []HCA
	for i, netdev := range netdevs {
		out = append(out, HCA{Name: fmt.Sprintf("rxe%d", i), Netdev: netdev})
	}
	return out
}
