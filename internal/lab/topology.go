package lab

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Topology is what a test wants to find in the kernel: namespaces, netdevs, addresses and soft HCAs. Links and HCAs are made in the
// order in which they are listed; each may refer to what comes before it. Names are unique in a topology, across namespaces too,
// so a parent or master is found by its name wherever it is.
//
//	lab.Topology{
//		Namespaces: []string{"blue"},
//		Links: []lab.Link{
//			{Name: "bond0", Kind: lab.Bond{Mode: "active-backup"}, Addrs: []string{"192.0.2.1/24", "2001:db8::1/64"}},
//			{Name: "eth0", Kind: lab.Dummy{}, Master: "bond0"},
//			{Name: "eth1", Kind: lab.Dummy{}, Master: "bond0"},
//			{Name: "bond0.100", Kind: lab.VLAN{Parent: "bond0", ID: 100}, Addrs: []string{"198.51.100.1/24"}},
//			{Name: "veth0", Kind: lab.Veth{Peer: "veth1"}},
//			{Name: "veth1", Kind: lab.PeerOf{Veth: "veth0"}, Netns: "blue", Addrs: []string{"203.0.113.2/24"}},
//		},
//		HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}, {Name: "rxe2", Netdev: "veth1"}},
//	}.Up(t)
type Topology struct {
	Namespaces []string // network namespaces, as ip-netns(8) names them
	Links      []Link
	HCAs       []HCA
	Exclusive  bool // RDMA devices belong to one namespace each, as after "rdma system set netns exclusive"
}

// Link is a netdev.
type Link struct {
	Name   string
	Kind   Kind
	Netns  string   // "" is the namespace of the test
	Master string   // bond, bridge or VRF that it joins
	MAC    string   // the kernel's choice
	MTU    int      // the kernel's choice
	Addrs  []string // "192.0.2.1/24", "2001:db8::1/64", "10.0.0.1 peer 10.0.0.2/32"
	Down   bool     // leave it administratively down
}

// HCA is a soft RoCE device (rdma_rxe) on a netdev.
//
// It is made in the namespace of its netdev; but the RDMA device itself always starts in the initial namespace. Netns moves it,
// which only an Exclusive topology can and soft RoCE knows since Linux 7: earlier kernels answer EOPNOTSUPP.
type HCA struct {
	Name   string
	Netdev string
	Netns  string
}

// Up builds the topology and ends the test if that fails. At the end of the test everything that it, or the test, has added to the
// kernel's devices is removed, RDMA devices first. Tests that use a topology must not be parallel: they share one kernel.
func (tp Topology) Up(t testing.TB) *Net {
	t.Helper()
	n, err := tp.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer announceWait(t, "removing the topology")()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Build builds the topology in the kernel of a lab VM; elsewhere it refuses. The caller must Close what it returns. An error says
// which item the kernel did not want; what was made before it is removed again.
func (tp Topology) Build() (*Net, error) {
	if _, inside := Inside(); !inside {
		return nil, errors.New("lab: topology: this is no lab VM, and the devices of a real machine are not to be played with")
	}
	n, err := newNet()
	if err != nil {
		return nil, fmt.Errorf("lab: topology: %w", err)
	}
	if err := n.build(tp); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: topology: %w", err), n.Close())
	}
	return n, nil
}

// announceWait logs that something takes unusually long until the returned function is called. Removing an RDMA device waits in the
// kernel until its last user is gone, for ever if need be, and a test that hangs there should say so.
func announceWait(t testing.TB, what string) (done func()) {
	timer := time.AfterFunc(20*time.Second, func() {
		fmt.Printf("lab: %s: %s takes long; does a process still use a device? %s\n", t.Name(), what, rdmaHolders())
	})
	return func() { timer.Stop() }
}
