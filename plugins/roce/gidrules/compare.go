package gidrules

import (
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
)

// Port is a port and what its table holds.
type Port struct {
	Device string
	Number uint32
	// Rebuild are the commands that make the device anew; empty if there are none.
	Rebuild []string
	// Slots is the size of the table, Entries what is in it, by index.
	Slots   int
	Entries []rdma.GIDEntry
}

// key is what the kernel tells entries apart by. It knows netdevs by more than
// their names, but shows no more.
type key struct {
	gid    rdma.GID
	typ    rdma.GIDType
	netdev string
}

// judged is a port on the way to its findings.
type judged struct {
	Port
	world  *World
	expect Expectation
	types  []rdma.GIDType // ascending; of the table
	free   int            // slots for addresses that nothing is in
	found  []Finding
}

// Types returns the types of GIDs that a port has, which its table shows: what is
// entered is entered for each of them.
func Types(entries []rdma.GIDEntry) []rdma.GIDType {
	var types []rdma.GIDType
	for _, e := range entries {
		if e.Type != "" && !e.Empty() && !slices.Contains(types, e.Type) {
			types = append(types, e.Type)
		}
	}
	slices.Sort(types) // "IB/RoCE v1" before "RoCE v2", as the kernel counts them
	return types
}

// Judge compares the table of one port with what the rules say. What concerns
// several ports is for [World.Across].
func (w *World) Judge(p Port, e Expectation) []Finding {
	p.Entries = slices.DeleteFunc(slices.Clone(p.Entries), rdma.GIDEntry.Empty)
	j := &judged{Port: p, world: w, expect: e, types: Types(p.Entries)}
	if e.Netdev == nil {
		return []Finding{j.unjudged()}
	}
	j.expect.learn(j.Entries[:min(len(j.types), len(j.Entries))])
	reserved := max(len(j.types), 1)
	inUse := 0
	for _, e := range p.Entries {
		if int(e.Index) >= reserved {
			inUse++
		}
	}
	j.free = max(p.Slots-reserved-inUse, 0)
	j.compare()
	j.tableFull()
	j.v1Only()
	return j.found
}

// compare finds what is missing, stale, of a wrong MAC and there twice.
func (j *judged) compare() {
	there := make(map[key]int, len(j.Entries))
	for _, e := range j.Entries {
		there[keyOf(e)]++
	}
	wanted := make(map[key]int, len(j.Entries))
	defaults := j.defaults()
	for _, s := range j.expect.Addresses {
		for _, t := range j.orUnknown() {
			k := key{s.GID, t, s.Netdev.Name}
			wanted[k]++
			if wanted[k] > there[k] && (defaults[t] || !j.asDefault(s)) {
				j.missingAddress(s, t)
			}
		}
	}
	for _, e := range j.Entries {
		switch k := keyOf(e); {
		case j.isDefault(e):
			if !slices.ContainsFunc(j.expect.Defaults, func(s Source) bool { return s.GID == e.GID && s.Netdev.Name == e.Netdev }) {
				j.staleDefault(e)
			}
		case wanted[k] == 0:
			j.staleAddress(e)
		case there[k] > wanted[k]:
			j.perhapsDuplicate(e, wanted[k])
		}
	}
	j.missingDefaults(defaults)
}

func keyOf(e rdma.GIDEntry) key { return key{e.GID, e.Type, e.Netdev} }

// perhapsDuplicate looks at an entry of which there are more than are wanted. One
// in a slot of default GIDs does not count, and the last of the others is told of.
func (j *judged) perhapsDuplicate(e rdma.GIDEntry, wanted int) {
	var copies []rdma.GIDEntry
	for _, other := range j.Entries {
		if keyOf(other) == keyOf(e) && !j.isDefault(other) {
			copies = append(copies, other)
		}
	}
	if len(copies) > wanted && e.Index == copies[len(copies)-1].Index {
		j.duplicate(e, copies)
	}
}

// asDefault tells whether an address is in the table as the default GID of its
// netdev, if that is there: it is missed as such alone then.
func (j *judged) asDefault(s Source) bool {
	return slices.ContainsFunc(j.expect.Defaults, func(d Source) bool { return d.GID == s.GID && d.Netdev == s.Netdev })
}

// orUnknown returns the port's types; an empty table shows none.
func (j *judged) orUnknown() []rdma.GIDType {
	if len(j.types) == 0 {
		return []rdma.GIDType{""}
	}
	return j.types
}

// isDefault tells whether e is in a slot of default GIDs: there is one for each
// type.
func (j *judged) isDefault(e rdma.GIDEntry) bool { return int(e.Index) < len(j.types) }

// defaults returns the types whose slot of default GIDs is in use.
func (j *judged) defaults() map[rdma.GIDType]bool {
	used := map[rdma.GIDType]bool{}
	for _, e := range j.Entries {
		if j.isDefault(e) {
			used[e.Type] = true
		}
	}
	return used
}

func (j *judged) missingDefaults(used map[rdma.GIDType]bool) {
	if len(j.expect.Defaults) == 0 {
		return
	}
	for _, t := range j.orUnknown() {
		if !used[t] {
			j.missingDefault(j.expect.Defaults[0], t)
		}
	}
}

// owner returns the netdev that an entry of the table is of: of those with its
// name, one that lies on the port's if there is one.
func (j *judged) owner(e rdma.GIDEntry) *Node {
	var other *Node
	for _, n := range j.world.named(e.Netdev) {
		if j.expect.reach.has(n) {
			return n
		}
		other = n
	}
	return other
}
