package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/netstate/live"
)

// netstateTopology has netdevs that lie on netdevs of other namespaces.
func netstateTopology() lab.Topology {
	tp := lab.Demo()
	tp.Links = append(tp.Links,
		lab.Link{Name: "eth0.7", Kind: lab.VLAN{Parent: "eth0", ID: 7}, Netns: "blue", Addrs: []string{"10.7.0.1 peer 10.7.0.2/32", "2001:db8::7 peer 2001:db8::8/128"}},
		lab.Link{Name: "macvlan7", Kind: lab.Macvlan{Parent: "eth0.7"}, Netns: "blue"},
		lab.Link{Name: "vrf0", Kind: lab.VRF{Table: 10}},
		lab.Link{Name: "eth6", Kind: lab.Dummy{}, Master: "vrf0", MAC: "02:00:00:00:00:0c", Down: true},
	)
	return tp
}

// TestNetstateAgreesWithIP compares what live reads with what ip prints in each
// namespace.
func TestNetstateAgreesWithIP(t *testing.T) {
	net := netstateTopology().Up(t)
	s, warnings, err := live.Read(t.Context())
	if err != nil || len(warnings) > 0 || s.Partial {
		t.Fatalf("partial %v, warnings %v, %v", s.Partial, warnings, err)
	}
	if len(s.Namespaces) != 2 || s.Namespaces[0].Name != "" || s.Namespaces[1].Name != "blue" {
		t.Fatalf("namespaces %+v, want this and blue", s.Namespaces)
	}
	for i := range s.Namespaces {
		checkNetdevs(t, &s, &s.Namespaces[i])
	}
	own := &s.Namespaces[0]
	for upper, lower := range map[string]string{"eth0.7": "eth0", "macvlan7": "eth0.7", "eth0.100": "eth0", "veth1": ""} {
		if got := lowerOf(&s, upper); got != lower {
			t.Errorf("%s lies on %q, want %q", upper, got, lower)
		}
	}
	bond := own.Netdev("bond0")
	if bond.Bond.Mode != "active-backup" || bond.Bond.Active != own.Netdev("eth1").Index || own.Netdev("eth2").Master != bond.Index {
		t.Errorf("bond %+v, slave %+v", bond.Bond, own.Netdev("eth2"))
	}
	// From blue it is the same world, seen from the other side.
	err = net.In("blue", func() error {
		other, _, err := live.Read(t.Context())
		if err == nil && (other.Namespaces[0].ID != s.Namespaces[1].ID || other.Partial) {
			t.Errorf("from blue: %+v", other)
		}
		if err == nil && lowerOf(&other, "eth0.7") != "eth0" {
			t.Errorf("from blue, eth0.7 lies on %q", lowerOf(&other, "eth0.7"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lowerOf names what the netdev with a name, which is unique here, lies on.
func lowerOf(s *netstate.Snapshot, name string) string {
	byRef := map[netstate.Ref]string{}
	var lower netstate.Ref
	for _, n := range s.All {
		byRef[n.Ref] = n.Name
		if n.Name == name {
			lower = n.Lower
		}
	}
	return byRef[lower]
}

// checkNetdevs compares the netdevs of one namespace.
func checkNetdevs(t *testing.T, s *netstate.Snapshot, ns *netstate.Namespace) {
	t.Helper()
	want := ipLinks(t, ns.Name)
	if len(want) != len(ns.Netdevs) {
		t.Errorf("%s: %d netdevs, ip has %d", ns.Label(), len(ns.Netdevs), len(want))
	}
	for _, n := range ns.Netdevs {
		l, master := want[n.Name], ""
		for _, m := range ns.Netdevs {
			if n.Master == m.Index {
				master = m.Name
			}
		}
		mac := ""
		if m, ok := n.MAC.Get(); ok {
			mac = m.String()
		}
		if n.Kind != l.LinkInfo.Kind || mac != l.MAC || int(n.MTU) != l.MTU || n.Up != slices.Contains(l.Flags, "UP") ||
			n.Running != slices.Contains(l.Flags, "LOWER_UP") || master != l.Master {
			t.Errorf("%s: %+v, master %q; ip has %+v", ns.Label(), n, master, l)
		}
		var have, ip []string
		for _, a := range n.Addrs {
			have = append(have, a.String())
		}
		for _, a := range l.AddrInfos {
			text := fmt.Sprintf("%s/%d", a.Local, a.PrefixLen)
			if a.Peer != "" {
				text = fmt.Sprintf("%s peer %s/%d", a.Local, a.Peer, a.PrefixLen)
			}
			ip = append(ip, text)
		}
		slices.Sort(have)
		slices.Sort(ip)
		if !slices.Equal(have, ip) {
			t.Errorf("%s: %s has %s, ip says %s", ns.Label(), n.Name, strings.Join(have, ", "), strings.Join(ip, ", "))
		}
	}
}
