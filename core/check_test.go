package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// names: two devices never have one name, in the time in which they surely have
// it. When exactly it is taken and released the event log tells: see checkEvents.
func (e *evidence) names() (broken []string) {
	byName := map[string][]tenancy{}
	for _, d := range e.all(opRegisterDevice) {
		if !d.ok() {
			continue
		}
		for _, t := range e.tenancies(d) {
			byName[t.name] = append(byName[t.name], t)
		}
	}
	for name, list := range byName {
		slices.SortFunc(list, func(a, b tenancy) int { return cmp.Compare(a.from, b.from) })
		for i := 1; i < len(list); i++ {
			if list[i].id != list[i-1].id && list[i].from < list[i-1].until {
				broken = append(broken, fmt.Sprintf("%v and %v had %s at %d", list[i-1].id, list[i].id, name, list[i].from))
			}
		}
	}
	return broken
}

// tenancy is a time in which a device surely had a name.
type tenancy struct {
	id          ID
	name        string
	from, until int
}

// tenancies returns the device's names, each from the end of the call that gave
// it to the beginning of one that could take it, or to the end of the last
// Remove. Of renames at the same time nobody knows which was the last.
func (e *evidence) tenancies(d *call) []tenancy {
	renames := slices.DeleteFunc(slices.Clone(e.byDevice[d.id]), func(c *call) bool {
		return c.op != opRename || c.err != nil
	})
	end := e.endsFor(d.id)
	list := []tenancy{{d.id, d.name, d.over, min(end, next(renames, d.begin))}}
	for _, r := range renames {
		alone := !slices.ContainsFunc(renames, func(q *call) bool {
			return q != r && q.begin < r.over && r.begin < q.over
		})
		if alone && r.over != never {
			list = append(list, tenancy{d.id, r.name, r.over, min(end, next(renames, r.over))})
		}
	}
	return slices.DeleteFunc(list, func(t tenancy) bool { return t.from >= t.until })
}

// next returns when the first of the calls begins after that moment.
func next(calls []*call, moment int) int {
	first := never
	for _, c := range calls {
		if c.begin > moment {
			first = min(first, c.begin)
		}
	}
	return first
}

// endsFor returns until when the device surely has its name.
func (e *evidence) endsFor(id ID) int {
	until := never
	for _, u := range e.unregister[id] {
		until = min(until, u.begin)
	}
	for _, s := range e.onDevice[id] {
		if s.remove != nil && until != never {
			until = max(until, s.remove.over)
		}
	}
	return until
}
