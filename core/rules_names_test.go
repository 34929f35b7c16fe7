package core

import (
	"cmp"
	"fmt"
	"slices"
)

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
