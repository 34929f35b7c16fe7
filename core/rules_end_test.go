package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// deviceReturns: when UnregisterDevice has returned every client is off, and
// nobody is called any more.
func (e *evidence) deviceReturns() (broken []string) {
	for _, u := range e.all(opUnregisterDevice) {
		if gone(u) {
			broken = append(broken, unfinished(u, e.onDevice[u.id])...)
		}
	}
	return broken
}

// clientReturns: the same for UnregisterClient. A refusal to an unknown name
// says nothing: the name may have been another's.
func (e *evidence) clientReturns() (broken []string) {
	for _, u := range e.all(opUnregisterClient) {
		if gone(u) {
			broken = append(broken, unfinished(u, e.byClient[u.client])...)
		}
	}
	return broken
}

// unfinished returns what had yet to happen on these spans when u returned.
func unfinished(u *call, spans []*span) (broken []string) {
	for _, s := range spans {
		for _, c := range append(slices.Clone(s.adds), s.rest...) {
			if c.over > u.over {
				broken = append(broken, fmt.Sprintf("%v returned before %v", u, c))
			}
		}
		if s.add().ok() && (s.remove == nil || s.remove.over > u.over) {
			broken = append(broken, fmt.Sprintf("%v returned without a remove of %s from %v", u, s.client, s.id))
		}
	}
	return broken
}

// hiddenFrom returns when the device was hidden at the latest: when a client
// was removed that did not leave for itself, or an unregister call returned.
func (e *evidence) hiddenFrom(id ID) int {
	from := never
	for _, s := range e.onDevice[id] {
		if s.remove != nil && !e.clientLeaves(s.client, s.remove.begin) {
			from = min(from, s.remove.begin)
		}
	}
	for _, u := range e.unregister[id] {
		from = min(from, u.over)
	}
	return from
}

// sightings: a device is hidden before its first Remove.
func (e *evidence) sightings() (broken []string) {
	for _, c := range e.all(opLookup, opAcquire, opDevices) {
		if !c.ok() {
			continue
		}
		for _, id := range append(slices.Clone(c.ids), c.id) {
			if c.begin > e.hiddenFrom(id) {
				broken = append(broken, fmt.Sprintf("%v found %v", c, id))
			}
		}
	}
	return broken
}

// staleUses: once UnregisterDevice has returned, the ID is refused.
func (e *evidence) staleUses() (broken []string) {
	for id, calls := range e.byDevice {
		over := never
		for _, u := range e.unregister[id] {
			over = min(over, u.over)
		}
		for _, c := range calls {
			switch c.op {
			case opUnregisterDevice, opRename, opNotify, opAcquire, opData:
				hadTime := !errors.Is(c.err, context.DeadlineExceeded)
				if c.begin > over && c.over != never && hadTime && !errors.Is(c.err, ErrStale) {
					broken = append(broken, fmt.Sprintf("%v after the end: %v", c, c.err))
				}
			}
		}
	}
	return broken
}

// leases: UnregisterDevice returns after the last release began.
func (e *evidence) leases() (broken []string) {
	for _, u := range e.all(opUnregisterDevice) {
		if !gone(u) {
			continue
		}
		held := 0
		for _, c := range e.byDevice[u.id] {
			switch {
			case c.op == opAcquire && c.ok() && c.over < u.over:
				held++
			case c.op == opAcquire && c.ok():
				broken = append(broken, fmt.Sprintf("%v after %v", c, u))
			case c.op == opRelease && c.begin < u.over:
				held--
			}
		}
		if held > 0 {
			broken = append(broken, fmt.Sprintf("%v returned while %d leases were held", u, held))
		}
	}
	return broken
}

// dataReads: data is had only by calls that began before Remove did and ended
// after Add had.
func (e *evidence) dataReads() (broken []string) {
	for _, c := range e.all(opData) {
		if !c.ok() {
			continue
		}
		fine := slices.ContainsFunc(e.onDevice[c.id], func(s *span) bool {
			return s.client == c.client && s.add().ok() && s.add().over < c.over && c.begin < s.removedFrom()
		})
		if !fine {
			broken = append(broken, c.String())
		}
	}
	return broken
}

// changes: who was on the device, or on the way, when a change was noted, and is
// on it to stay when the call returns, was told in between.
func (e *evidence) changes() (broken []string) {
	for _, n := range e.all(opNotify, opRename) {
		if !n.ok() || e.unchanged(n) || e.deviceLeaves(n.id, n.over) || e.undone(n.id) {
			continue
		}
		for _, s := range e.onDevice[n.id] {
			if isDeaf(s.client) || s.add().begin > n.begin || !s.attachedAt(n.over) || e.clientLeaves(s.client, n.over) {
				continue
			}
			told := slices.ContainsFunc(s.rest, func(c *call) bool {
				return c.op == opChanged && c.begin > n.begin && c.over < n.over && c.what&n.what == n.what
			})
			if !told {
				broken = append(broken, fmt.Sprintf("%s was not told of %v", s.client, n))
			}
		}
	}
	return broken
}

// unchanged tells whether a rename may have been one to the name the device has.
func (e *evidence) unchanged(n *call) bool {
	return n.op == opRename && slices.ContainsFunc(e.byDevice[n.id], func(c *call) bool {
		return c != n && c.name == n.name && (c.op == opRename || c.op == opRegisterDevice) && c.begin < n.over
	})
}

// undone tells whether the device's registration did not succeed, as far as is
// known.
func (e *evidence) undone(id ID) bool {
	return !slices.ContainsFunc(e.byDevice[id], func(c *call) bool { return c.op == opRegisterDevice })
}

// isDeaf tells whether the client wants to hear of changes, by its label.
func isDeaf(label string) bool { return label[0] == '-' }
