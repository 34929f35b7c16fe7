package roce

import (
	"cmp"
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// change is one thing that happened to a GID. Whoever applies the changes of a port
// one after the other, by index, has the table as it is: nothing is put into a slot
// before it was emptied.
type change struct {
	kind rocev1.GIDChangeKind
	// entry is the GID as it is now or, if it was removed, as it was; old is where it
	// was, or what it was like, before.
	entry, old rdma.GIDEntry
}

const (
	kindPresent = rocev1.GIDChangeKind_GID_CHANGE_KIND_PRESENT
	kindReady   = rocev1.GIDChangeKind_GID_CHANGE_KIND_READY
	kindAdded   = rocev1.GIDChangeKind_GID_CHANGE_KIND_ADDED
	kindRemoved = rocev1.GIDChangeKind_GID_CHANGE_KIND_REMOVED
	kindMoved   = rocev1.GIDChangeKind_GID_CHANGE_KIND_MOVED
	kindChanged = rocev1.GIDChangeKind_GID_CHANGE_KIND_CHANGED
	kindMissed  = rocev1.GIDChangeKind_GID_CHANGE_KIND_MISSED
)

// identity is what a GID keeps when it moves. The kernel knows an entry by it, too.
type identity struct {
	gid    rdma.GID
	typ    rdma.GIDType
	netdev string
}

func identityOf(e rdma.GIDEntry) identity { return identity{e.GID, e.Type, e.Netdev} }

// sameSlot tells whether a slot is as it was. Default follows from the rest of the
// table, and the name from the device.
func sameSlot(a, b rdma.GIDEntry) bool { return a.Index == b.Index && identityOf(a) == identityOf(b) }

func sameTable(a, b []rdma.GIDEntry) bool { return slices.EqualFunc(a, b, sameSlot) }

// difference returns the changes that lead from one table to another, both in the
// order of indices.
func difference(from, to []rdma.GIDEntry) []change {
	gone, come, changed := compareSlots(from, to)
	removed, moves, added := pairMoves(gone, come)
	occupied := map[uint32]bool{}
	for _, e := range from {
		occupied[e.Index] = true
	}
	var out []change
	for _, e := range removed {
		delete(occupied, e.Index)
		out = append(out, change{kind: kindRemoved, entry: e})
	}
	out = append(out, changed...)
	ordered, late := orderMoves(moves, occupied)
	out = append(out, ordered...)
	for _, e := range slices.Concat(late, added) {
		out = append(out, change{kind: kindAdded, entry: e})
	}
	return out
}

// compareSlots finds what is in a slot no more, what is there now, and what is the
// same GID with another type or netdev.
func compareSlots(from, to []rdma.GIDEntry) (gone, come []rdma.GIDEntry, changed []change) {
	for len(from) > 0 || len(to) > 0 {
		switch {
		case len(to) == 0 || len(from) > 0 && from[0].Index < to[0].Index:
			gone, from = append(gone, from[0]), from[1:]
			continue
		case len(from) == 0 || to[0].Index < from[0].Index:
			come, to = append(come, to[0]), to[1:]
			continue
		case sameSlot(from[0], to[0]):
		case from[0].GID == to[0].GID:
			changed = append(changed, change{kindChanged, to[0], from[0]})
		default:
			gone, come = append(gone, from[0]), append(come, to[0])
		}
		from, to = from[1:], to[1:]
	}
	return gone, come, changed
}

// pairMoves finds what is gone in one place and came in another.
func pairMoves(gone, come []rdma.GIDEntry) (removed []rdma.GIDEntry, moves []change, added []rdma.GIDEntry) {
	was := map[identity][]rdma.GIDEntry{}
	for _, e := range gone {
		was[identityOf(e)] = append(was[identityOf(e)], e)
	}
	for _, e := range come {
		old := was[identityOf(e)]
		if len(old) == 0 {
			added = append(added, e)
			continue
		}
		was[identityOf(e)] = old[1:]
		moves = append(moves, change{kindMoved, e, old[0]})
	}
	for _, left := range was {
		removed = append(removed, left...)
	}
	slices.SortFunc(removed, func(a, b rdma.GIDEntry) int { return cmp.Compare(a.Index, b.Index) })
	return removed, moves, added
}

// orderMoves brings moves into an order in which each goes to a slot that is free.
// Where they go round in a circle, one is taken out first, and is late.
func orderMoves(moves []change, occupied map[uint32]bool) (out []change, late []rdma.GIDEntry) {
	for len(moves) > 0 {
		i := slices.IndexFunc(moves, func(m change) bool { return !occupied[m.entry.Index] })
		if i < 0 {
			m := moves[0]
			out = append(out, change{kind: kindRemoved, entry: m.old})
			late = append(late, m.entry)
			delete(occupied, m.old.Index)
			moves = moves[1:]
			continue
		}
		m := moves[i]
		delete(occupied, m.old.Index)
		occupied[m.entry.Index] = true
		out = append(out, m)
		moves = slices.Delete(moves, i, i+1)
	}
	return out, late
}

// message writes a change down.
func (c change) message(device string, port uint32, at int64, text string) *rocev1.GIDChange {
	m := &rocev1.GIDChange{Kind: c.kind, TimeUnixNano: at, Device: device, Port: port, Gid: rocev1.NewGID(c.entry), Text: text}
	if c.kind == kindMoved || c.kind == kindChanged {
		m.Old = rocev1.NewGID(c.old)
	}
	return m
}
