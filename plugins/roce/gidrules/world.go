package gidrules

import (
	"slices"

	"github.com/ibctl/ibctl/internal/netstate"
)

// World is a snapshot of the host's netdevs in which one can walk from a netdev
// to those that lie on it. It may be used by any number of goroutines at once.
type World struct {
	snapshot *netstate.Snapshot
	nodes    map[netstate.Ref]*Node
	order    []*Node // as in the snapshot
}

// Node is a netdev in a World.
type Node struct {
	*netstate.Netdev
	Netns  *netstate.Namespace
	uppers []*Node
	lowers []*Node
	on     *Node // what it was made on, which is one of lowers; nil for nothing, or something unseen
}

// NewWorld returns a World of s, which must not change any more.
func NewWorld(s *netstate.Snapshot) *World {
	w := &World{snapshot: s, nodes: map[netstate.Ref]*Node{}}
	for ns, n := range s.All {
		node := &Node{Netdev: n, Netns: ns}
		w.nodes[n.Ref] = node
		w.order = append(w.order, node)
	}
	for _, n := range w.order {
		if n.Master != 0 {
			link(w.nodes[netstate.Ref{Netns: n.Ref.Netns, Index: n.Master}], n)
		}
		if n.Lower != (netstate.Ref{}) {
			n.on = w.nodes[n.Lower]
			link(n, n.on)
		}
		link(n, w.nodes[n.Lower2])
	}
	return w
}

func link(upper, lower *Node) {
	if upper == nil || lower == nil {
		return
	}
	upper.lowers = append(upper.lowers, lower)
	lower.uppers = append(lower.uppers, upper)
}

// Node returns the netdev; nil if it was not seen.
func (w *World) Node(r netstate.Ref) *Node { return w.nodes[r] }

// Partial tells that there may be netdevs that were not seen.
func (w *World) Partial() bool { return w.snapshot.Partial }

// named returns the netdevs of that name, in all namespaces.
func (w *World) named(name string) []*Node {
	var found []*Node
	for _, n := range w.order {
		if n.Name == name {
			found = append(found, n)
		}
	}
	return found
}

// Display names the netdev, with its namespace unless that is the reader's own.
func (n *Node) Display() string {
	if n.Netns.Name == "" {
		return n.Name
	}
	return n.Name + " in " + n.Netns.Label()
}

// maxNesting is how far a walk goes. The kernel allows for eight netdevs upon one
// another (MAX_NEST_DEV); a recorded snapshot may have them in a ring.
const maxNesting = 32

// real returns the device beneath all VLANs of n, or n; nil if it was not seen.
func (n *Node) real() *Node {
	for range maxNesting {
		if n == nil || n.Kind != "vlan" {
			return n
		}
		n = n.on
	}
	return nil
}

// master returns what n is enslaved to; nil for nothing.
func (n *Node) master() *Node {
	i := slices.IndexFunc(n.uppers, func(u *Node) bool { return n.Master != 0 && u.Ref == netstate.Ref{Netns: n.Ref.Netns, Index: n.Master} })
	if i < 0 {
		return nil
	}
	return n.uppers[i]
}

// isSlave tells whether n is the slave of a bond.
func (n *Node) isSlave() bool {
	m := n.master()
	return m != nil && m.IsBond()
}

// active returns the active slave of a bond; nil where it has none.
func (n *Node) active() *Node {
	if !n.IsBond() || n.Bond.Active == 0 {
		return nil
	}
	for _, lower := range n.lowers {
		if lower.Index == n.Bond.Active && lower.Ref.Netns == n.Ref.Netns {
			return lower
		}
	}
	return nil
}

// inactive tells whether the kernel takes r for an inactive slave of bond: one
// that reports an active slave, and another one.
func (n *Node) inactive(bond *Node) bool {
	if bond == nil || !bond.IsBond() || bond.Bond.Active == 0 {
		return false
	}
	return n.Ref != netstate.Ref{Netns: bond.Ref.Netns, Index: bond.Bond.Active}
}

// reach is what lies on a netdev.
type reach struct {
	from  *Node
	order []*Node         // nearest first, from itself first
	below map[*Node]*Node // the next one on the shortest way down
}

// reachOf walks from a netdev to all that lie on it.
func reachOf(from *Node) reach {
	r := reach{from: from, order: []*Node{from}, below: map[*Node]*Node{from: nil}}
	for i := 0; i < len(r.order); i++ {
		for _, upper := range r.order[i].uppers {
			if _, seen := r.below[upper]; !seen {
				r.below[upper] = r.order[i]
				r.order = append(r.order, upper)
			}
		}
	}
	return r
}

// has tells whether n lies on the netdev, or is it.
func (r reach) has(n *Node) bool {
	_, ok := r.below[n]
	return ok
}

// chain returns the shortest way up to n, both ends included.
func (r reach) chain(n *Node) []*Node {
	var way []*Node
	for ; n != nil; n = r.below[n] {
		way = append(way, n)
	}
	slices.Reverse(way)
	return way
}

// twoWays tells whether more than one way leads up to n, or to something on the
// way to it.
func (r reach) twoWays(n *Node) bool {
	for _, hop := range r.chain(n) {
		within := 0
		for _, lower := range hop.lowers {
			if r.has(lower) {
				within++
			}
		}
		if within > 1 {
			return true
		}
	}
	return false
}

// byMaster tells whether the way up to n leads into a master: others can be
// reached on one way alone.
func (r reach) byMaster(n *Node) bool {
	way := r.chain(n)
	for i, hop := range way[:len(way)-1] {
		if hop.master() == way[i+1] {
			return true
		}
	}
	return false
}

// bonds returns the bonds on the way to n, n included and the netdev itself not.
func (r reach) bonds(n *Node) []*Node {
	var found []*Node
	for _, hop := range r.chain(n) {
		if hop != r.from && hop.IsBond() {
			found = append(found, hop)
		}
	}
	return found
}
