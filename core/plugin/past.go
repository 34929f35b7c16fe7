package plugin

import "github.com/ibctl/ibctl/core"

// remembered bounds past: requests about a device arrive in order, so a stale
// one is never this far behind.
const remembered = 1024

// past remembers the ids that were removed last.
type past struct {
	ids  map[core.ID]bool
	ring []core.ID
	next int
}

func newPast() past { return past{ids: make(map[core.ID]bool)} }

func (p *past) has(id core.ID) bool { return p.ids[id] }

func (p *past) bury(id core.ID) {
	if len(p.ring) < remembered {
		p.ring = append(p.ring, id)
	} else {
		delete(p.ids, p.ring[p.next])
		p.ring[p.next] = id
		p.next = (p.next + 1) % remembered
	}
	p.ids[id] = true
}
