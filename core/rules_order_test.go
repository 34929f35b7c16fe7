package core

import (
	"fmt"
	"slices"
)

// pairs: an Add comes first and once; if it failed nothing follows; if it did
// not, changes do, and one Remove comes last.
func (e *evidence) pairs() (broken []string) {
	for _, s := range e.spans {
		if len(s.adds) != 1 {
			broken = append(broken, fmt.Sprintf("%d adds of %s to %v", len(s.adds), s.client, s.id))
			continue
		}
		removes := 0
		for _, c := range s.rest {
			switch {
			case !s.add().ok() || c.begin < s.add().over:
				broken = append(broken, fmt.Sprintf("%v without a successful add before it", c))
			case s.remove != nil && c.begin > s.remove.begin:
				broken = append(broken, fmt.Sprintf("%v after the remove", c))
			}
			if c.op == opRemove {
				removes++
			}
		}
		if removes > 1 {
			broken = append(broken, fmt.Sprintf("%d removes of %s from %v", removes, s.client, s.id))
		}
	}
	return broken
}

// overlaps: for one device callbacks come one after the other.
func (e *evidence) overlaps() (broken []string) {
	for _, calls := range e.byDevice {
		var last *call
		for _, c := range calls {
			if !c.op.callback() {
				continue
			}
			if last != nil && c.begin < last.over {
				broken = append(broken, fmt.Sprintf("%v during %v", c, last))
			}
			last = c
		}
	}
	return broken
}

// omissions: when both a client and a device are registered, and neither has
// been made to leave, the client's Add has returned.
func (e *evidence) omissions() (broken []string) {
	for _, c := range e.all(opRegisterClient) {
		for _, d := range e.all(opRegisterDevice) {
			if !c.ok() || !d.ok() {
				continue
			}
			both := max(c.over, d.over)
			if e.clientLeaves(c.client, both) || e.deviceLeaves(d.id, both) {
				continue
			}
			added := slices.ContainsFunc(e.onDevice[d.id], func(s *span) bool {
				return s.client == c.client && s.add().over < both
			})
			if !added {
				broken = append(broken, fmt.Sprintf("%s is not on %v at %d", c.client, d.id, both))
			}
		}
	}
	return broken
}

// addOrder: where one registration of a client returned before another began,
// their Adds come in that order; where they were concurrent, in the same order
// on every device.
func (e *evidence) addOrder() (broken []string) {
	registered := map[string]*call{}
	for _, c := range e.all(opRegisterClient) {
		registered[c.client] = c
	}
	type order struct{ first, second string }
	seen := map[order]ID{}
	for id, spans := range e.onDevice {
		for i, second := range spans {
			for _, first := range spans[:i] {
				a, b := registered[first.client], registered[second.client]
				if a != nil && b != nil && b.over < a.begin {
					broken = append(broken, fmt.Sprintf("%s before %s on %v", first.client, second.client, id))
				}
				if other, ok := seen[order{second.client, first.client}]; ok {
					broken = append(broken, fmt.Sprintf("%s before %s on %v but not on %v", first.client, second.client, id, other))
				}
				seen[order{first.client, second.client}] = id
			}
		}
	}
	return broken
}

// removeOrder: whoever is removed is the last one on the device, unless leaving
// for itself.
func (e *evidence) removeOrder() (broken []string) {
	for _, spans := range e.onDevice {
		for i, s := range spans {
			if s.remove == nil || e.clientLeaves(s.client, s.remove.begin) {
				continue
			}
			for _, later := range spans[i+1:] {
				if later.attachedAt(s.remove.begin) || later.remove != nil && later.remove.begin < s.remove.begin && s.remove.begin < later.remove.over {
					broken = append(broken, fmt.Sprintf("%v before that of %s, added later", s.remove, later.client))
				}
			}
		}
	}
	return broken
}
