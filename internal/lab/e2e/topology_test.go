package e2e

import (
	"os/exec"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

func TestTopology(t *testing.T) {
	lab.Topology{
		Namespaces: []string{"blue"},
		Links: []lab.Link{
			{Name: "bond0", Kind: lab.Bond{Mode: "active-backup"}, Addrs: []string{"192.0.2.1/24", "2001:db8::1/64"}},
			{Name: "eth0", Kind: lab.Dummy{}, Master: "bond0"},
			{Name: "eth1", Kind: lab.Dummy{}, Master: "bond0"},
			{Name: "bond0.100", Kind: lab.VLAN{Parent: "bond0", ID: 100}, Addrs: []string{"198.51.100.1/24", "10.0.0.1 peer 10.0.0.2/32"}},
			{Name: "veth0", Kind: lab.Veth{Peer: "veth1"}},
			{Name: "veth1", Kind: lab.PeerOf{Veth: "veth0"}, Netns: "blue", Addrs: []string{"203.0.113.2/24"}},
			{Name: "br0", Kind: lab.Bridge{}},
			{Name: "eth2", Kind: lab.Dummy{}, Master: "br0"},
			{Name: "mv0", Kind: lab.Macvlan{Parent: "veth0"}, Netns: "blue"},
			{Name: "vrf0", Kind: lab.VRF{Table: 10}},
			{Name: "eth3", Kind: lab.Dummy{}, Master: "vrf0"},
		},
		HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}, {Name: "rxe2", Netdev: "veth1"}, {Name: "rxe3", Netdev: "eth3"}},
	}.Up(t)
	out, err := exec.Command("sh", "-c", "ip -br addr; ip -n blue -br addr; rdma link; "+lab.NewRDMA(t)+" dev").CombinedOutput()
	t.Logf("%s %v", out, err)
}

func TestEmpty(t *testing.T) {
	out, err := exec.Command("sh", "-c", "ip -br addr; rdma link; ip netns").CombinedOutput()
	t.Logf("%s %v", out, err)
}
