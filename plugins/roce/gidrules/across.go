package gidrules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// Carrier is a port as others see it: what belongs to it.
type Carrier struct {
	Name string // "mlx5_0/1"
	Expectation
}

// Across finds what no port shows by itself: addresses and subnets that several
// netdevs or ports have. Each finding is given to the first of the ports that
// asked wants to hear of it, by its place in ports.
func (w *World) Across(ports []Carrier, asked func(port int) bool) map[int][]Finding {
	found := map[int][]Finding{}
	give := func(places []place, f func(first place) Finding) {
		if i := slices.IndexFunc(places, func(p place) bool { return asked(p.port) }); i >= 0 {
			first := places[i]
			found[first.port] = append(found[first.port], f(first))
		}
	}
	byGID, bySubnet := placesOf(ports)
	for _, g := range byGID {
		if len(g.places) > 1 {
			give(g.places, func(first place) Finding { return ambiguous(ports, g.places, first) })
		}
	}
	for _, g := range bySubnet {
		if apart(g.places) {
			give(g.places, func(first place) Finding { return sameSubnet(ports, g.key, g.places, first) })
		}
	}
	return found
}

// place is a port that has an address of a netdev.
type place struct {
	port   int
	source *Source
}

// group is what has something in common, in the order of the ports.
type group[K comparable] struct {
	key    K
	places []place
}

// subnet is an IP network where it means one thing: in one routing domain.
type subnet struct {
	netns  uint64
	vrf    uint32
	prefix netip.Prefix
}

// placesOf groups the addresses of ports by their GIDs and by their subnets.
func placesOf(ports []Carrier) ([]*group[rdma.GID], []*group[subnet]) {
	var gids groups[rdma.GID]
	var subnets groups[subnet]
	for i := range ports {
		for j := range ports[i].Addresses {
			s := &ports[i].Addresses[j]
			if s.GID.IsLinkLocal() {
				continue // everything has one, and VLANs share that of their parent
			}
			gids.add(s.GID, place{i, s})
			if p := s.Addr.Prefix(); !p.IsSingleIP() {
				subnets.add(subnet{s.Netdev.Ref.Netns, s.Netdev.vrf(), p}, place{i, s})
			}
		}
	}
	return gids.list, subnets.list
}

type groups[K comparable] struct {
	list []*group[K]
	at   map[K]*group[K]
}

func (g *groups[K]) add(k K, p place) {
	if g.at == nil {
		g.at = map[K]*group[K]{}
	}
	one := g.at[k]
	if one == nil {
		one = &group[K]{key: k}
		g.at[k] = one
		g.list = append(g.list, one)
	}
	one.places = append(one.places, p)
}

// vrf returns the index of the VRF that n, or something it is a port of, belongs
// to; 0 for the main routing domain.
func (n *Node) vrf() uint32 {
	m := n.master()
	for range maxNesting {
		if m == nil {
			break
		}
		if m.Kind == "vrf" {
			return m.Index
		}
		m = m.master()
	}
	return 0
}

// apart tells whether two ports have netdevs in a subnet that the other has not.
// Slaves of one bond, which have the same ones, are not meant.
func apart(places []place) bool {
	of := map[int][]netstate.Ref{}
	for _, p := range places {
		of[p.port] = append(of[p.port], p.source.Netdev.Ref)
	}
	lacks := func(a, b int) bool {
		return slices.ContainsFunc(of[a], func(r netstate.Ref) bool { return !slices.Contains(of[b], r) })
	}
	for a := range of {
		for b := range of {
			if lacks(a, b) && lacks(b, a) {
				return true
			}
		}
	}
	return false
}

func ambiguous(ports []Carrier, places []place, first place) Finding {
	f := Finding{
		Kind: Ambiguous, Severity: Warning, GID: rdma.Known(first.source.GID), Netdev: first.source.Netdev.Display(), Chain: chainNames(first.source.Chain),
		Consequence: "who looks the address up gets the first entry that fits, whichever port or interface was meant",
	}
	var netdevs []string
	for _, p := range places {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s has %v of %s", ports[p.port].Name, p.source.GID.Addr(), p.source.Netdev.Display()))
		if name := p.source.Netdev.Display(); !slices.Contains(netdevs, name) {
			netdevs = append(netdevs, name)
		}
		if p.port != first.port && !slices.Contains(f.With, ports[p.port].Name) {
			f.With = append(f.With, ports[p.port].Name)
		}
	}
	if len(netdevs) == 1 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s is above all of them, and no slave of its bond is inactive", netdevs[0]))
		return f
	}
	for _, p := range places {
		if n := p.source.Netdev; n != first.source.Netdev {
			f.Mend = append(f.Mend, fmt.Sprintf("%s address del %v dev %s", n.ip(), p.source.Addr, n.Name))
			break
		}
	}
	return f
}

func sameSubnet(ports []Carrier, s subnet, places []place, first place) Finding {
	f := Finding{
		Kind: SameSubnet, Severity: Warning, Netdev: first.source.Netdev.Display(), Chain: chainNames(first.source.Chain),
		Consequence: "the kernel answers ARP for either address on both, and sends to the subnet through one of them: traffic of one port runs into the other",
	}
	for _, p := range places {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s has %v of %s in %v", ports[p.port].Name, p.source.GID.Addr(), p.source.Netdev.Display(), s.prefix))
		if p.port != first.port && !slices.Contains(f.With, ports[p.port].Name) {
			f.With = append(f.With, ports[p.port].Name)
		}
		if n := p.source.Netdev; s.prefix.Addr().Is4() {
			sysctl := fmt.Sprintf("sysctl -w net.ipv4.conf.%s.arp_ignore=1 net.ipv4.conf.%s.arp_announce=2", sysctlName(n.Name), sysctlName(n.Name))
			if n.Netns.Name != "" {
				sysctl = fmt.Sprintf("nsenter --net=%s %s", n.Netns.Path, sysctl)
			}
			if !slices.Contains(f.Mend, sysctl) {
				f.Mend = append(f.Mend, sysctl)
			}
		}
	}
	return f
}

// sysctlName writes a netdev's name as sysctl(8) takes it: its dots are slashes.
func sysctlName(name string) string { return strings.ReplaceAll(name, ".", "/") }
