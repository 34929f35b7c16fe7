package plugin

import (
	"slices"

	"github.com/ibctl/ibctl/core"
)

// remembered bounds past: requests about a device arrive in order, so a stale
// one is never this far behind.
const remembered = 1024

// past remembers the ids that were removed last.
type past struct {
	ring []core.ID
	next int
}

// has tells whether id was removed, or overtaken by one that was.
func (p *past) has(id core.ID) bool {
	return slices.Contains(p.ring, id) || p.overtook(id)
}

// overtook tells whether id was overtaken by one that was removed.
func (p *past) overtook(id core.ID) bool {
	return slices.ContainsFunc(p.ring, func(old core.ID) bool { return overtakes(old, id) })
}

func (p *past) bury(id core.ID) {
	if len(p.ring) < remembered {
		p.ring = append(p.ring, id)
		return
	}
	p.ring[p.next] = id
	p.next = (p.next + 1) % remembered
}

// overtakes tells whether the index of id has passed on to other: generations
// only grow. Devices without an index (those of a captured tree) do not overtake
// each other: nothing says that they are the same.
func overtakes(other, id core.ID) bool {
	return id.Index != core.NoIndex && other.Index == id.Index && other.Generation > id.Generation
}
