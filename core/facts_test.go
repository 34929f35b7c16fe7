package core

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestLookup(t *testing.T) {
	r := NewRegistry(Options{})
	id, err := r.RegisterDevice(t.Context(), hca("rxe0", 3))
	must(t, err)
	byID, err := r.Lookup(id)
	must(t, err)
	byName, err := r.LookupName("rxe0")
	must(t, err)
	byIndex, err := r.LookupIndex(3)
	must(t, err)
	for _, dev := range []Device{byID, byName, byIndex} {
		if dev.ID != id || dev.Info.Name != "rxe0" {
			t.Errorf("got %v", dev)
		}
	}

	refusals := []struct {
		id   ID
		want error
	}{
		{ID{3, 0}, ErrNotRegistered},
		{ID{3, 2}, ErrNotRegistered}, // yet to come
		{ID{4, 1}, ErrNotRegistered}, // another index
	}
	for _, test := range refusals {
		_, err := r.Lookup(test.id)
		wantErr(t, err, test.want)
	}
	_, err = r.LookupName("rxe1")
	wantErr(t, err, ErrNotRegistered)
	_, err = r.LookupIndex(1)
	wantErr(t, err, ErrNotRegistered)

	must(t, r.UnregisterDevice(t.Context(), id))
	_, err = r.Lookup(id)
	wantErr(t, err, ErrStale)
}

func TestDevicesAreInOrder(t *testing.T) {
	r := NewRegistry(Options{})
	for _, info := range []rdma.Device{hca("b", 9), hca("a", 4), hca("c", 1)} {
		_, err := r.RegisterDevice(t.Context(), info)
		must(t, err)
	}
	var names []string
	for _, dev := range r.Devices() {
		names = append(names, dev.Info.Name)
	}
	if !slices.Equal(names, []string{"b", "a", "c"}) {
		t.Errorf("got %v, want the order of registration", names)
	}
}

// Where the kernel gives no index, as in a captured sysfs tree, none is made up,
// and devices do not get into each other's way.
func TestDevicesWithoutIndex(t *testing.T) {
	r := NewRegistry(Options{})
	for _, name := range []string{"mlx5_0", "hfi1_0"} {
		id, err := r.RegisterDevice(t.Context(), rdma.Device{Name: name})
		must(t, err)
		if id.Index != NoIndex {
			t.Errorf("got %v, want no index", id)
		}
	}
	if dev, err := r.LookupName("hfi1_0"); err != nil || dev.String() != "hfi1_0 (#?.2)" {
		t.Errorf("got %v, %v", dev, err)
	}
	_, err := r.LookupIndex(NoIndex)
	wantErr(t, err, ErrNotRegistered)
	_, err = r.LookupIndex(0)
	wantErr(t, err, ErrNotRegistered)
}

func TestNameless(t *testing.T) {
	r := NewRegistry(Options{})
	_, err := r.RegisterDevice(t.Context(), rdma.Device{})
	wantErr(t, err, ErrInvalid)
	wantErr(t, r.RegisterClient(t.Context(), newWitness(r).actor("")), ErrInvalid)
	id, err := r.RegisterDevice(t.Context(), hca("rxe0", 0))
	must(t, err)
	wantErr(t, r.Rename(t.Context(), id, ""), ErrInvalid)
}

func TestUpdate(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := s.actor("roce")
		var heard []Change
		a.changed = func(_ context.Context, dev Device, what Change) error {
			if dev.Info.Firmware != "2" {
				t.Errorf("told of %v with %v", what, dev.Info.Firmware)
			}
			heard = append(heard, what)
			return errors.New("of no account")
		}
		must(t, s.RegisterClient(t.Context(), a))
		info := hca("rxe0", 0)
		id := mustRegister(t, s.witness, info)

		must(t, s.Update(t.Context(), id, info)) // no difference, no news
		info.Firmware = "2"
		must(t, s.Update(t.Context(), id, info))
		if !slices.Equal(heard, []Change{ChangeInfo}) {
			t.Errorf("heard %v, want info once", heard)
		}

		renamed, moved := info, info
		renamed.Name, moved.Index = "rxe1", rdma.Known[uint32](1)
		wantErr(t, s.Update(t.Context(), id, renamed), ErrInvalid)
		wantErr(t, s.Update(t.Context(), id, moved), ErrInvalid)
		must(t, s.UnregisterDevice(t.Context(), id))
		wantErr(t, s.Update(t.Context(), id, info), ErrStale)
	})
}

// What is registered is a copy.
func TestInfoIsNotShared(t *testing.T) {
	r := NewRegistry(Options{})
	info := hca("rxe0", 0)
	id, err := r.RegisterDevice(t.Context(), info)
	must(t, err)
	info.Ports[0].Number = 7
	if dev, _ := r.Lookup(id); dev.Info.Ports[0].Number != 1 {
		t.Error("the caller's slice is in the registry")
	}
}

func TestAttachments(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		actors := cast(s.witness, "a", "b")
		inAdd, inRemove := pauseIn(&actors[1].add), pauseIn(&actors[1].remove)
		register := s.register(hca("rxe0", 0))
		<-inAdd.reached
		wantStates(t, s, "a #0.1 attached", "b #0.1 adding")
		inAdd.letGo()
		must(t, register.wait())
		mustRegister(t, s.witness, hca("rxe1", 1))
		wantStates(t, s, "a #0.1 attached", "b #0.1 attached", "a #1.2 attached", "b #1.2 attached")

		unregister := s.unregister(register.id)
		<-inRemove.reached
		wantStates(t, s, "a #0.1 attached", "b #0.1 removing", "a #1.2 attached", "b #1.2 attached")
		inLast := pauseIn(&actors[0].remove)
		inRemove.letGo()
		<-inLast.reached
		wantStates(t, s, "a #0.1 removing", "a #1.2 attached", "b #1.2 attached")
		inLast.letGo()
		must(t, unregister.wait())
		wantStates(t, s, "a #1.2 attached", "b #1.2 attached")
		if got := s.Clients(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("got clients %v", got)
		}
	})
}

func wantStates(t *testing.T, s *stage, want ...string) {
	t.Helper()
	var got []string
	for _, a := range s.Attachments() {
		got = append(got, a.Client+" "+a.Device.String()+" "+string(a.State))
		if a.Since.IsZero() {
			t.Errorf("%+v has no time", a)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsSayWhatAndWhy(t *testing.T) {
	r := NewRegistry(Options{})
	id, err := r.RegisterDevice(t.Context(), hca("rxe0", 3))
	must(t, err)
	_, exists := r.RegisterDevice(t.Context(), hca("rxe1", 3))
	_, lookup := r.LookupIndex(8)
	_, data := r.Data("roce", id)
	tests := map[string]error{
		"register device rxe1: already registered as rxe0 (#3.1)":        exists,
		"look up device 8: not registered":                               lookup,
		"unregister client roce: not registered":                         r.UnregisterClient(t.Context(), "roce"),
		"rename device #3.1 to : invalid: no name":                       r.Rename(t.Context(), id, ""),
		"get data of client roce on device #3.1: not registered":         data,
		"unregister device #3.9: not registered":                         r.UnregisterDevice(t.Context(), ID{3, 9}),
		"update device #3.1: invalid: it has the name rxe0, not storage": r.Update(t.Context(), id, hca("storage", 3)),
	}
	for want, err := range tests {
		if err == nil || err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		var e *Error
		if !errors.As(err, &e) || e.Op == "" || e.Object == "" {
			t.Errorf("%v does not carry operation and object", err)
		}
	}
}

// What Removes return reaches everyone who waited for them; the device and the
// client are gone all the same.
func TestErrorsOfRemoves(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		boom := errors.New("boom")
		for _, a := range cast(s.witness, "a", "b") {
			a.remove = func(context.Context, Device) error { return boom }
		}
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		err := s.UnregisterDevice(t.Context(), id)
		wantErr(t, err, boom)
		if want := "remove client b from device rxe0 (#0.1): boom\nremove client a from device rxe0 (#0.1): boom"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		must(t, s.UnregisterClient(t.Context(), "a")) // it was on no device
	})
}
