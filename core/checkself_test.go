package core

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A checker that finds nothing proves nothing, so here are histories that did
// not happen: one that did, with one thing changed. The rule named must see it.

// forgery changes a history into one that breaks a rule.
type forgery struct {
	name  string
	rule  string
	forge func(*forger)
}

var forgeries = []forgery{
	{"second remove", "one remove for each add", func(f *forger) {
		f.copyAfter("} remove b #0.1", "remove b #0.1 {", "} remove b #0.1")
	}},
	{"remove after a failed add", "one remove for each add", func(f *forger) { f.fail("} add b #0.1", errors.New("no")) }},
	{"remove without an add", "one remove for each add", func(f *forger) { f.drop("add b #0.1 {", "} add b #0.1") }},
	{"remove before its add returned", "one remove for each add", func(f *forger) { f.moveAfter("remove b #0.1 {", "} add b #0.1") }},
	{"change after the remove", "one remove for each add", func(f *forger) {
		f.moveAfter("} remove b #0.1", "changed b #0.1 {", "} changed b #0.1")
	}},
	{"add twice", "one remove for each add", func(f *forger) { f.copyAfter("} add b #0.1", "add b #0.1 {", "} add b #0.1") }},
	{"adds overlap", "one callback at a time", func(f *forger) { f.moveAfter("add b #0.1 {", "} add a #0.1") }},
	{"client left out", "everybody is added", func(f *forger) { f.dropAll("add b #1.2") }},
	{"client added late", "everybody is added", func(f *forger) { f.moveAfter("} register-device #1.2 rxe1", "} add b #1.2") }},
	{"adds in the wrong order", "adds first in first out", func(f *forger) { f.swap("add", "#0.1") }},
	{"adds in different orders", "adds first in first out", func(f *forger) {
		f.moveAfter("register-client b {", "} register-client a")
		f.swap("add", "#0.1")
	}},
	{"removes in the wrong order", "removes last in first out", func(f *forger) { f.swap("remove", "#0.1") }},
	{"removes overlap", "removes last in first out", func(f *forger) { f.moveAfter("remove a #0.1 {", "} remove b #0.1") }},
	{"unregister device returns in a remove", "unregister device returns last", func(f *forger) {
		f.moveAfter("remove a #0.1 {", "} unregister-device #0.1")
	}},
	{"unregister device forgets a client", "unregister device returns last", func(f *forger) {
		f.drop("remove a #0.1 {", "} remove a #0.1")
	}},
	{"second unregister returns early", "unregister device returns last", func(f *forger) {
		f.copyAfter("remove b #0.1 {", "unregister-device #0.1 {", "} unregister-device #0.1")
	}},
	{"unregister client returns in a remove", "unregister client returns last", func(f *forger) {
		f.moveAfter("remove b #1.2 {", "} unregister-client b")
	}},
	{"unregister client forgets a device", "unregister client returns last", func(f *forger) {
		f.drop("remove b #1.2 {", "} remove b #1.2")
	}},
	{"lookup finds a leaving device", "a leaving device is hidden", func(f *forger) {
		f.moveAfter("remove b #0.1 {", "lookup rxe0 {", "} lookup #0.1 rxe0")
	}},
	{"enumeration finds a leaving device", "a leaving device is hidden", func(f *forger) {
		f.moveAfter("remove b #0.1 {", "devices {", "} devices")
	}},
	{"acquire finds a leaving device", "a leaving device is hidden", func(f *forger) {
		f.moveAfter("remove b #0.1 {", "acquire #0.1 me {", "} acquire #0.1 me", "release #0.1 me {", "} release #0.1 me")
	}},
	{"old ID is accepted", "an old ID is refused", func(f *forger) { f.fail("} notify #0.1: ", nil) }},
	{"lease outlives the device", "leases end before the device", func(f *forger) {
		f.moveAfter("} unregister-device #0.1", "release #0.1 me {", "} release #0.1 me")
	}},
	{"data during remove", "data between add and remove only", func(f *forger) {
		f.moveAfter("remove a #0.1 {", "data #0.1 a {", "} data a #0.1 a")
	}},
	{"data during add", "data between add and remove only", func(f *forger) {
		f.moveAfter("add a #0.1 {", "data #0.1 a {", "} data a #0.1 a")
	}},
	{"change is lost", "no change is lost", func(f *forger) { f.drop("changed b #0.1 {", "} changed b #0.1") }},
	{"change is told in part", "no change is lost", func(f *forger) { f.at("} changed b #0.1").what = ChangeInfo }},
	{"change is told late", "no change is lost", func(f *forger) {
		f.moveAfter("} notify #0.1", "changed b #0.1 {", "} changed b #0.1")
	}},
	{"name is shared", "names are not shared", func(f *forger) { f.at("} register-device #1.2 rxe1").name = "rxe0" }},
	{"name is given out before the last remove", "names are not shared", func(f *forger) {
		f.moveAfter("remove a #0.1 {", "register-device rxe0 { 2", "} register-device #5.3 rxe0")
	}},
	{"name is shared after a rename", "names are not shared", func(f *forger) { f.at("} rename #1.2 rxe9").name = "rxe0" }},
}

func TestCheckerFindsForgeries(t *testing.T) {
	w := newWitness(NewRegistry(Options{Parallel: 1}))
	playItStraight(t, w)
	if broken := check(w.h.records); len(broken) > 0 {
		t.Fatalf("the true history breaks rules: %q\n%v", broken, w.h)
	}
	proven := map[string]bool{}
	for _, forgery := range forgeries {
		t.Run(forgery.name, func(t *testing.T) {
			f := &forger{t: t, records: slices.Clone(w.h.records)}
			forgery.forge(f)
			broken := check(f.records)
			if !slices.ContainsFunc(broken, func(v string) bool { return strings.HasPrefix(v, forgery.rule+": ") }) {
				t.Errorf("rule %q did not see it; others: %q\n%v", forgery.rule, broken, &history{records: f.records})
			}
		})
		proven[forgery.rule] = true
	}
	for rule := range rules {
		if !proven[rule] {
			t.Errorf("no forgery puts the rule %q to the test", rule)
		}
	}
}

// playItStraight makes a history with something for every rule.
func playItStraight(t *testing.T, w *witness) {
	actors := cast(w, "a", "b")
	one := mustRegister(t, w, hca("rxe0", 0))
	two := mustRegister(t, w, hca("rxe1", 1))
	_, err := w.LookupName("rxe0")
	must(t, err)
	w.Devices()
	lease, err := w.Acquire(one, "me")
	must(t, err)
	w.Release(lease)
	_, err = w.Data("a", one)
	must(t, err)
	must(t, w.Notify(t.Context(), one, ChangeGIDs|ChangeNetdev))
	must(t, w.Rename(t.Context(), two, "rxe9"))
	must(t, w.UnregisterDevice(t.Context(), one))
	wantErr(t, w.Notify(t.Context(), one, ChangeGIDs), ErrStale)
	three := mustRegister(t, w, hca("rxe0", 5))
	must(t, w.UnregisterClient(t.Context(), actors[1].name))
	must(t, w.UnregisterDevice(t.Context(), two))
	must(t, w.UnregisterDevice(t.Context(), three))
	must(t, w.UnregisterClient(t.Context(), actors[0].name))
}

// forger changes records, which it finds by their text; a number after the text
// means the second or third of that text, a colon that it may go on.
type forger struct {
	t       *testing.T
	records []record
}

func (f *forger) index(text string) int {
	f.t.Helper()
	nth := 1
	if i := strings.LastIndex(text, "{ "); i >= 0 {
		nth, text = int(text[i+2]-'0'), text[:i+1]
	}
	for i, r := range f.records {
		s := r.String()
		if s != text && !(strings.HasSuffix(text, ": ") && strings.HasPrefix(s, text)) {
			continue
		}
		if nth--; nth == 0 {
			return i
		}
	}
	f.t.Fatalf("no record %q in\n%v", text, &history{records: f.records})
	return 0
}

func (f *forger) at(text string) *record { return &f.records[f.index(text)] }

func (f *forger) fail(text string, err error) { f.at(text).err = err }

func (f *forger) drop(texts ...string) {
	for _, text := range texts {
		i := f.index(text)
		f.records = slices.Delete(f.records, i, i+1)
	}
}

func (f *forger) dropAll(part string) {
	f.records = slices.DeleteFunc(f.records, func(r record) bool { return strings.Contains(r.String(), part) })
}

// moveAfter moves records, in this order, to behind another.
func (f *forger) moveAfter(place string, texts ...string) {
	var moved []record
	for _, text := range texts {
		moved = append(moved, *f.at(text))
		f.drop(text)
	}
	f.records = slices.Insert(f.records, f.index(place)+1, moved...)
}

// copyAfter repeats a call.
func (f *forger) copyAfter(place, begin, end string) {
	b, e := *f.at(begin), *f.at(end)
	b.call, e.call = -1, -1
	f.records = slices.Insert(f.records, f.index(place)+1, b, e)
}

// swap exchanges the clients a and b in calls of one kind for one device.
func (f *forger) swap(what op, device string) {
	for i := range f.records {
		r := &f.records[i]
		if r.op == what && r.id.String() == device {
			r.client = map[string]string{"a": "b", "b": "a"}[r.client]
		}
	}
}
