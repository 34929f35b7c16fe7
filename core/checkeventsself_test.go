package core

import (
	"slices"
	"testing"
	"time"
)

// The same for the checker of the event log: each of these logs, made of a true
// one, cannot be.
func TestEventCheckerFindsForgeries(t *testing.T) {
	w := newWitness(NewRegistry(Options{Parallel: 1}))
	playItStraight(t, w)
	truth := w.events()
	if broken := checkEvents(truth); len(broken) > 0 {
		t.Fatalf("the true log is wrong: %q", broken)
	}

	at := func(log []Event, kind EventKind, nth int) int {
		for i, ev := range log {
			if ev.Kind == kind {
				if nth--; nth < 0 {
					return i
				}
			}
		}
		t.Fatalf("no event %s", kind)
		return 0
	}
	// renumber hides what was done from those who only count.
	renumber := func(log []Event) []Event {
		for i := range log {
			log[i].Seq, log[i].Time = uint64(i+1), time.Time{}
		}
		return log
	}
	without := func(kind EventKind, nth int) func([]Event) []Event {
		return func(log []Event) []Event {
			i := at(log, kind, nth)
			return renumber(slices.Delete(log, i, i+1))
		}
	}
	twice := func(kind EventKind) func([]Event) []Event {
		return func(log []Event) []Event {
			i := at(log, kind, 0)
			return renumber(slices.Insert(log, i+1, log[i]))
		}
	}
	swapped := func(a EventKind, na int, b EventKind, nb int) func([]Event) []Event {
		return func(log []Event) []Event {
			i, j := at(log, a, na), at(log, b, nb)
			log[i], log[j] = log[j], log[i]
			return renumber(log)
		}
	}
	forgeries := map[string]func([]Event) []Event{
		"gap":                            func(log []Event) []Event { return slices.Delete(log, 3, 4) },
		"time runs backwards":            func(log []Event) []Event { log[3].Time = log[2].Time.Add(-time.Second); return log },
		"no device":                      without(DeviceArrived, 0),
		"device twice":                   twice(DeviceArrived),
		"device leaves twice":            twice(DeviceLeaving),
		"device never leaves":            without(DeviceLeaving, 0),
		"device never goes":              without(DeviceUnregistered, 0),
		"device goes before its clients": swapped(DeviceUnregistered, 0, ClientRemoved, 1),
		"client never removed":           without(ClientRemoved, 0),
		"client removed twice":           twice(ClientRemoved),
		"client added twice":             twice(ClientAdded),
		"client never added":             without(ClientAdded, 0),
		"adds in the wrong order":        swapped(ClientAdded, 0, ClientAdded, 1),
		"removes in the wrong order":     swapped(ClientRemoved, 0, ClientRemoved, 1),
		"told before it was added":       swapped(ClientTold, 0, ClientAdded, 0),
		"registered after it left":       swapped(DeviceRegistered, 0, DeviceLeaving, 0),
		"renamed after it left":          swapped(DeviceRenamed, 0, DeviceLeaving, 1),
		"no client":                      without(ClientArrived, 0),
		"client twice":                   twice(ClientArrived),
		"client never leaves":            without(ClientLeaving, 0),
		"client goes while on a device":  swapped(ClientUnregistered, 0, ClientRemoved, 2),
		"lease wait twice": func(log []Event) []Event {
			i := at(log, DeviceUnregistered, 0)
			wait := log[i]
			wait.Kind, wait.Holders = LeaseWait, []string{"me"}
			return renumber(slices.Insert(log, i, wait, wait))
		},
		"lease wait without holders": func(log []Event) []Event {
			i := at(log, DeviceUnregistered, 0)
			wait := log[i]
			wait.Kind = LeaseWait
			return renumber(slices.Insert(log, i, wait))
		},
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			if broken := checkEvents(forge(slices.Clone(truth))); len(broken) == 0 {
				t.Error("not found out")
			}
		})
	}
}
