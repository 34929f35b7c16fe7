package core

import (
	"errors"
	"slices"
)

// rules are the invariants, each as a question to a history.
var rules = map[string]func(*evidence) []string{
	"one remove for each add":          (*evidence).pairs,
	"one callback at a time":           (*evidence).overlaps,
	"everybody is added":               (*evidence).omissions,
	"adds first in first out":          (*evidence).addOrder,
	"removes last in first out":        (*evidence).removeOrder,
	"unregister device returns last":   (*evidence).deviceReturns,
	"unregister client returns last":   (*evidence).clientReturns,
	"a leaving device is hidden":       (*evidence).sightings,
	"an old ID is refused":             (*evidence).staleUses,
	"leases end before the device":     (*evidence).leases,
	"data between add and remove only": (*evidence).dataReads,
	"no change is lost":                (*evidence).changes,
	"names are not shared":             (*evidence).names,
}

// check holds a history against the rules and returns what it breaks.
func check(records []record) []string {
	e := newEvidence(parse(records))
	var broken []string
	for name, rule := range rules {
		for _, v := range rule(e) {
			broken = append(broken, name+": "+v)
		}
	}
	slices.Sort(broken)
	return broken
}

// evidence is a history sorted for the rules.
type evidence struct {
	calls      []*call
	byDevice   map[ID][]*call     // callbacks, and calls that name the device
	spans      []*span            // by beginning
	onDevice   map[ID][]*span     // by beginning
	byClient   map[string][]*span // by beginning
	unregister map[ID][]*call     // what makes the device leave
	dismissed  map[string]int     // when the client was first made to leave
}

// span is a client on a device, as its callbacks tell it.
type span struct {
	client string
	id     ID
	adds   []*call
	rest   []*call // removes and changes
	remove *call   // the first
}

func (s *span) add() *call { return s.adds[0] }

// attachedAt tells whether Add had returned by then, and Remove not begun.
func (s *span) attachedAt(moment int) bool {
	return s.add().ok() && s.add().over < moment && moment < s.removedFrom()
}

// removedFrom is when Remove began.
func (s *span) removedFrom() int {
	if s.remove == nil {
		return never
	}
	return s.remove.begin
}

func newEvidence(calls []*call) *evidence {
	e := &evidence{
		calls: calls, byDevice: map[ID][]*call{}, onDevice: map[ID][]*span{}, byClient: map[string][]*span{},
		unregister: map[ID][]*call{}, dismissed: map[string]int{},
	}
	for _, c := range calls {
		e.byDevice[c.id] = append(e.byDevice[c.id], c)
		switch {
		case c.op == opUnregisterDevice && !refused(c):
			e.unregister[c.id] = append(e.unregister[c.id], c)
		case c.op == opUnregisterClient, c.op == opRegisterClient && c.err != nil:
			if _, earlier := e.dismissed[c.client]; !earlier {
				e.dismissed[c.client] = c.begin
			}
		}
	}
	e.findSpans()
	return e
}

func (e *evidence) findSpans() {
	type key struct {
		client string
		id     ID
	}
	spans := map[key]*span{}
	for _, c := range e.all(opAdd, opRemove, opChanged) {
		s := spans[key{c.client, c.id}]
		if s == nil {
			s = &span{client: c.client, id: c.id}
			spans[key{c.client, c.id}] = s
			e.spans = append(e.spans, s)
		}
		s.note(c)
	}
	for _, s := range e.spans {
		if len(s.adds) > 0 {
			e.onDevice[s.id] = append(e.onDevice[s.id], s)
			e.byClient[s.client] = append(e.byClient[s.client], s)
		}
	}
}

func (s *span) note(c *call) {
	if c.op == opAdd {
		s.adds = append(s.adds, c)
		return
	}
	s.rest = append(s.rest, c)
	if c.op == opRemove && s.remove == nil {
		s.remove = c
	}
}

// all returns the calls of one kind, in the order of their beginnings.
func (e *evidence) all(ops ...op) []*call {
	var list []*call
	for _, c := range e.calls {
		if slices.Contains(ops, c.op) {
			list = append(list, c)
		}
	}
	return list
}

// refused tells whether an unregister call did nothing. Other errors than these
// are what Removes returned.
func refused(c *call) bool {
	return errors.Is(c.err, ErrInCallback) || errors.Is(c.err, ErrNotRegistered)
}

// gone tells whether an unregister call says by its return that it is over.
func gone(c *call) bool { return c.over != never && !refused(c) }

// clientLeaves tells whether something made the client leave before that moment:
// an unregister call, or a registration that was undone.
func (e *evidence) clientLeaves(client string, moment int) bool {
	begin, ok := e.dismissed[client]
	return ok && begin <= moment
}

// deviceLeaves tells whether an unregister call began before that moment.
func (e *evidence) deviceLeaves(id ID, moment int) bool {
	return slices.ContainsFunc(e.unregister[id], func(u *call) bool { return u.begin < moment })
}
