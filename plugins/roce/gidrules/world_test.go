package gidrules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// hostNS and blueNS are the namespaces of tests.
const (
	hostNS = 1
	blueNS = 2
)

// build makes a snapshot of lines such as
//
//	eth0 02:00:00:00:00:01 master=bond0 10.0.0.1/24 10.0.0.1-10.0.0.2/32
//	bond0 bond:active-backup active=eth0
//	bond0.5 vlan on=bond0 ns=blue
//
// in which a netdev may be named before it comes. Indices count from 1.
func build(t failer, lines ...string) *netstate.Snapshot {
	t.Helper()
	s := &netstate.Snapshot{Namespaces: []netstate.Namespace{{ID: hostNS, Path: "/proc/thread-self/ns/net"}, {ID: blueNS, Name: "blue", Path: "/run/netns/blue"}}}
	refs := map[string]netstate.Ref{}
	for i, line := range lines {
		words := strings.Fields(line)
		ns := uint64(hostNS)
		if strings.Contains(line, " ns=blue") {
			ns = blueNS
		}
		refs[words[0]] = netstate.Ref{Netns: ns, Index: uint32(i + 1)}
	}
	for _, line := range lines {
		words := strings.Fields(line)
		n := netstate.Netdev{Ref: refs[words[0]], Name: words[0], Link: netstate.Ethernet, Up: true, Running: true}
		for _, w := range words[1:] {
			set(t, &n, w, refs)
		}
		ns := s.Find(n.Ref.Netns)
		ns.Netdevs = append(ns.Netdevs, n)
	}
	return s
}

func set(t failer, n *netstate.Netdev, word string, refs map[string]netstate.Ref) {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	kind, mode, isBond := strings.Cut(word, ":")
	switch {
	case key == "ns":
	case key == "name":
		n.Name = value
	case key == "master":
		n.Master = refs[value].Index
	case key == "on":
		n.Lower = refs[value]
	case key == "on2":
		n.Lower2 = refs[value]
	case key == "active":
		n.Bond.Active = refs[value].Index
	case word == "down":
		n.Up, n.Running = false, false
	case word == "tun":
		n.Link = 65534
	case isBond && kind == "bond":
		n.Kind, n.Bond = "bond", &netstate.Bond{Mode: mode}
	case strings.Contains(word, "/"):
		n.Addrs = append(n.Addrs, parseAddr(t, word))
	case strings.Count(word, ":") == 5:
		mac, err := netstate.ParseMAC(word)
		if err != nil {
			t.Fatal(err)
		}
		n.MAC = rdma.Known(mac)
	default:
		n.Kind = word
	}
}

// parseAddr reads 10.0.0.1/24, or 10.0.0.1-10.0.0.2/32 for one with a peer.
func parseAddr(t failer, text string) (a netstate.Addr) {
	t.Helper()
	local, peer, hasPeer := strings.Cut(text, "-")
	if !hasPeer {
		peer = local
	}
	p, err := netip.ParsePrefix(peer)
	if err != nil {
		t.Fatal(err)
	}
	a.Local, a.Bits = p.Addr(), uint8(p.Bits())
	if hasPeer {
		a.Local, a.Peer = netip.MustParseAddr(local), p.Addr()
	}
	return a
}

// ref returns the Ref of the netdev with a name, which must be unique.
func ref(t testing.TB, w *World, name string) netstate.Ref {
	t.Helper()
	found := w.named(name)
	if len(found) != 1 {
		t.Fatalf("%d netdevs called %s", len(found), name)
	}
	return found[0].Ref
}

func gid(text string) rdma.GID { return rdma.GIDFromAddr(netip.MustParseAddr(text)) }

// ideal is the table that the rules make of an expectation.
func ideal(e Expectation, types ...rdma.GIDType) []rdma.GIDEntry {
	var table []rdma.GIDEntry
	add := func(index int, s Source, typ rdma.GIDType) {
		table = append(table, rdma.GIDEntry{Device: "rxe0", Port: 1, Index: uint32(index), GID: s.GID, Type: typ, Netdev: s.Netdev.Name})
	}
	for i, typ := range types {
		if len(e.Defaults) > 0 {
			add(i, e.Defaults[0], typ)
		}
	}
	next := len(types)
	for _, s := range e.Addresses {
		if len(e.Defaults) > 0 && s.GID == e.Defaults[0].GID && s.Netdev == e.Defaults[0].Netdev {
			continue
		}
		for _, typ := range types {
			add(next, s, typ)
			next++
		}
	}
	return table
}

func port(slots int, entries []rdma.GIDEntry) Port {
	return Port{Device: "rxe0", Number: 1, Slots: slots, Entries: entries, Rebuild: []string{"rebuild"}}
}

// failer is what testing and rapid have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
}
