package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// stagedDrain is staged for tests that drain: a client may come onto a device
// twice, so the log is held against the rules and the history is not.
func stagedDrain(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{clientsMu: newBubbleLock(), devicesMu: newBubbleLock()}
		s.witness = newWitness(newRegistry(Options{}, s.clientsMu, s.devicesMu))
		test(t, s)
		synctest.Wait()
		for _, v := range checkEvents(s.events()) {
			t.Error(v)
		}
		if t.Failed() {
			t.Logf("history:\n%v", s.h)
		}
	})
}

// drainOff begins to drain a device.
func (s *stage) drainOff(id ID, look func(context.Context) error) *task {
	return start(func() error { return s.Drain(context.Background(), id, look) })
}

func names(devices []Device) (list []string) {
	for _, d := range devices {
		list = append(list, d.Info.Name)
	}
	return list
}

var (
	twoOn  = []string{"add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1"}
	twoOff = []string{"remove b #0.1 {", "} remove b #0.1", "remove a #0.1 {", "} remove a #0.1"}
)

func TestDrainTakesClientsOffAndKeepsThemOff(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a", "b")[0]
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		a.remove = func(_ context.Context, dev Device) error {
			if got := names(s.Devices()); len(got) != 0 {
				t.Errorf("a client's Remove sees %v", got)
			}
			_, err := s.Lookup(dev.ID)
			wantErr(t, err, ErrDrained)
			_, err = s.Acquire(dev.ID, "a")
			wantErr(t, err, ErrDrained)
			return nil
		}
		looked := 0
		must(t, s.Drain(t.Context(), id, func(context.Context) error { looked++; return nil }))
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)
		if looked != 1 || !slices.Equal(names(s.Drained()), []string{"rxe0"}) {
			t.Errorf("looked %d times; drained are %v", looked, names(s.Drained()))
		}

		must(t, s.RegisterClient(t.Context(), s.actor("c")))
		must(t, s.Rename(t.Context(), id, "hca0"))
		must(t, s.Notify(t.Context(), id, ChangeGIDs))
		_, err := s.RegisterDevice(t.Context(), hca("hca0", 7))
		wantErr(t, err, ErrExists)
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)

		must(t, s.Undrain(t.Context(), id))
		must(t, s.Undrain(t.Context(), id)) // which it is already
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff, twoOn, []string{"add c #0.1 {", "} add c #0.1"})...)
		if got := names(s.Devices()); !slices.Equal(got, []string{"hca0"}) || len(s.Drained()) != 0 {
			t.Errorf("in service: %v, drained: %v", got, names(s.Drained()))
		}
	})
}

func TestDrainThatFindsAHolderPutsEverythingBack(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a", "b")
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		holder := errors.New("somebody came")
		wantErr(t, s.Drain(t.Context(), id, func(context.Context) error { return holder }), holder)
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff, twoOn)...)
		lease, err := s.Acquire(id, "test")
		must(t, err)
		s.Release(lease)
		last := s.events()
		i := slices.IndexFunc(last, func(ev Event) bool { return ev.Kind == DeviceUndrained })
		if i < 0 || !errors.Is(last[i].Err, holder) {
			t.Errorf("the log does not say why: %+v", last)
		}
	})
}

// A client that could not be added gets another chance when the device returns.
func TestUndrainRetriesWhatFailed(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		a.add = func(context.Context, Device) error { return errors.New("not today") }
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.Drain(t.Context(), id, nil))
		if n := len(s.Attachments()); n != 0 {
			t.Errorf("%d attachments to a drained device", n)
		}
		a.add = nil
		must(t, s.Undrain(t.Context(), id))
		if list := s.Attachments(); len(list) != 1 || list[0].State != AttachAttached {
			t.Errorf("%+v", list)
		}
	})
}

func TestDrainWaitsForLeases(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		one, err := s.Acquire(id, "one")
		must(t, err)
		two, err := s.Acquire(id, "two")
		must(t, err)
		drain := s.drainOff(id, nil)
		wantWaiting(t, drain)
		if !isClosed(one.Leaving()) {
			t.Error("a lease does not hear of it")
		}
		s.Release(one)
		wantWaiting(t, drain)
		s.Release(two)
		must(t, drain.wait())

		must(t, s.Undrain(t.Context(), id))
		again, err := s.Acquire(id, "again")
		must(t, err)
		if isClosed(again.Leaving()) {
			t.Error("a lease of a device that is back in service is over")
		}
		s.Release(again)
	})
}

func TestDrainGivesUpOnLeases(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a", "b")
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		lease, err := s.Acquire(id, "sleeper")
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = s.Drain(ctx, id, func(context.Context) error { t.Error("it looks before the leases are over"); return nil })
		wantErr(t, err, context.DeadlineExceeded)
		if want := "[sleeper]"; err == nil || !slices.Contains([]string{want}, err.Error()[len(err.Error())-len(want):]) {
			t.Errorf("%v does not say for whom it waited", err)
		}
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff, twoOn)...)
		s.Release(lease)
		must(t, s.Drain(t.Context(), id, nil))
	})
}

// The end of ctx does not cut a Remove short.
func TestDrainIsPatientWithClients(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		inRemove := pauseIn(&a.remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		ctx, cancel := context.WithCancel(t.Context())
		drain := start(func() error { return s.Drain(ctx, id, nil) })
		<-inRemove.reached
		cancel()
		wantWaiting(t, drain)
		inRemove.letGo()
		wantErr(t, drain.wait(), context.Canceled)
		if list := s.Attachments(); len(list) != 1 || list[0].State != AttachAttached {
			t.Errorf("%+v", list)
		}
	})
}

// The kernel may remove the device at any moment of a drain.
func TestKernelRemovesWhileDraining(t *testing.T) {
	t.Run("in Remove", func(t *testing.T) {
		stagedDrain(t, func(t *testing.T, s *stage) {
			b := cast(s.witness, "a", "b")[1]
			inRemove := pauseIn(&b.remove)
			id := mustRegister(t, s.witness, hca("rxe0", 0))
			drain := s.drainOff(id, func(context.Context) error { t.Error("it looks at what has gone"); return nil })
			<-inRemove.reached
			unregister := s.unregister(id)
			wantWaiting(t, drain, unregister)
			inRemove.letGo()
			must(t, unregister.wait())
			wantErr(t, drain.wait(), ErrLeaving)
			wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)
		})
	})
	t.Run("while it waits for leases", func(t *testing.T) {
		stagedDrain(t, func(t *testing.T, s *stage) {
			cast(s.witness, "a", "b")
			id := mustRegister(t, s.witness, hca("rxe0", 0))
			lease, err := s.Acquire(id, "test")
			must(t, err)
			drain := s.drainOff(id, nil)
			wantWaiting(t, drain)
			unregister := s.unregister(id)
			wantErr(t, drain.wait(), ErrLeaving)
			wantWaiting(t, unregister)
			s.Release(lease)
			must(t, unregister.wait())
			wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)
		})
	})
	for _, found := range []error{nil, errors.New("a holder")} {
		t.Run(fmt.Sprintf("while it looks, which gives %v", found), func(t *testing.T) {
			stagedDrain(t, func(t *testing.T, s *stage) {
				cast(s.witness, "a", "b")
				id := mustRegister(t, s.witness, hca("rxe0", 0))
				look := newPause()
				drain := s.drainOff(id, func(context.Context) error { look.stop(); return found })
				<-look.reached
				must(t, s.UnregisterDevice(t.Context(), id)) // which waits for no look
				look.letGo()
				wantErr(t, drain.wait(), ErrLeaving)
				wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)
			})
		})
	}
	t.Run("when it is drained", func(t *testing.T) {
		stagedDrain(t, func(t *testing.T, s *stage) {
			cast(s.witness, "a", "b")
			id := mustRegister(t, s.witness, hca("rxe0", 0))
			must(t, s.Drain(t.Context(), id, nil))
			must(t, s.UnregisterDevice(t.Context(), id))
			wantErr(t, s.Undrain(t.Context(), id), ErrStale)
			wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff)...)
		})
	})
	t.Run("while clients are put back", func(t *testing.T) {
		stagedDrain(t, func(t *testing.T, s *stage) {
			a := cast(s.witness, "a")[0]
			id := mustRegister(t, s.witness, hca("rxe0", 0))
			must(t, s.Drain(t.Context(), id, nil))
			inAdd := pauseIn(&a.add)
			undrain := start(func() error { return s.Undrain(context.Background(), id) })
			<-inAdd.reached
			unregister := s.unregister(id)
			wantWaiting(t, undrain, unregister)
			inAdd.letGo()
			must(t, undrain.wait())
			must(t, unregister.wait())
		})
	})
}

// A drain calls back an Add that is at work.
func TestDrainRecallsAdd(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := s.actor("a")
		inAdd := newPause()
		a.add = func(ctx context.Context, _ Device) error {
			inAdd.stop()
			<-ctx.Done()
			wantErr(t, context.Cause(ctx), ErrDraining)
			return nil // all the same: so it is removed
		}
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		enroll := s.enroll(a)
		<-inAdd.reached
		drain := s.drainOff(id, nil)
		inAdd.letGo()
		must(t, drain.wait())
		must(t, enroll.wait())
		wantCallbacks(t, s.h, "add a #0.1 {", "} add a #0.1", "remove a #0.1 {", "} remove a #0.1")
	})
}

func TestOnlyOneDrainsADevice(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		inRemove := pauseIn(&a.remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		drain := s.drainOff(id, nil)
		<-inRemove.reached
		wantErr(t, s.Drain(t.Context(), id, nil), ErrDraining)
		wantErr(t, s.Undrain(t.Context(), id), ErrDraining)
		inRemove.letGo()
		must(t, drain.wait())
		wantErr(t, s.Drain(t.Context(), id, nil), ErrDrained)
		wantErr(t, s.Drain(t.Context(), ID{Generation: 9}, nil), ErrNotRegistered)
		must(t, s.UnregisterDevice(t.Context(), id))
		wantErr(t, s.Drain(t.Context(), id, nil), ErrStale)
	})
}

func TestDrainIsRefusedInCallbacks(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		try := func(ctx context.Context, dev Device) error {
			wantErr(t, s.Drain(ctx, dev.ID, nil), ErrInCallback)
			wantErr(t, s.Undrain(ctx, dev.ID), ErrInCallback)
			return nil
		}
		a.add, a.remove = try, try
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.UnregisterDevice(t.Context(), id))
	})
}

// A client may leave while the device is drained, and while it is put back.
func TestClientLeavesDuringDrain(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		actors := cast(s.witness, "a", "b")
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		inRemove := pauseIn(&actors[1].remove)
		drain := s.drainOff(id, nil)
		<-inRemove.reached
		dismiss := s.dismiss(actors[0])
		wantWaiting(t, drain, dismiss)
		inRemove.letGo()
		must(t, drain.wait())
		must(t, dismiss.wait())
		must(t, s.Undrain(t.Context(), id))
		wantCallbacks(t, s.h, slices.Concat(twoOn, twoOff, twoOn[2:])...)
	})
}

func TestRegisterDrained(t *testing.T) {
	stagedDrain(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a", "b")
		id, err := s.RegisterDrained(t.Context(), hca("rxe0", 0))
		must(t, err)
		if len(s.Devices()) != 0 || !slices.Equal(names(s.Drained()), []string{"rxe0"}) {
			t.Errorf("in service: %v, drained: %v", names(s.Devices()), names(s.Drained()))
		}
		wantCallbacks(t, s.h)
		_, err = s.LookupName("rxe0")
		wantErr(t, err, ErrDrained)
		must(t, s.Undrain(t.Context(), id))
		wantCallbacks(t, s.h, twoOn...)
	})
}

// registerDrained is RegisterDrained for the random worlds.
func (w *world) registerDrained(ctx context.Context, info rdma.Device) (ID, error) {
	id, err := w.RegisterDrained(ctx, info)
	if err == nil {
		w.learn(id)
	}
	return id, err
}

// someDrain drains a device, looks or finds somebody, or puts one back.
func (w *world) someDrain() {
	ctx, cancel := w.someCtx()
	defer cancel()
	id := w.someID()
	gone := []error{ErrLeaving, ErrStale, ErrNotRegistered, ErrDraining, context.DeadlineExceeded}
	if dev, ok := pick(w.dice, w.Drained()); ok && w.dice.oneIn(2) {
		w.allow("undrain", w.Undrain(ctx, dev.ID), gone...)
		return
	}
	errHolder := errors.New("a holder")
	err := w.Drain(ctx, id, func(context.Context) error {
		w.dally()
		for _, a := range w.Attachments() {
			if a.Device == id {
				w.t.Errorf("%s is %s on %v, which is drained", a.Client, a.State, id)
			}
		}
		if w.dice.oneIn(3) {
			return errHolder
		}
		return nil
	})
	w.allow("drain", err, append(gone, ErrDrained, errHolder)...)
}

// TestRandomDrains is TestRandomScheduled with drains.
func TestRandomDrains(t *testing.T) {
	forSeeds(t, 60, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			dice := newDice(seed)
			clientsMu, devicesMu := newBubbleLock(), newBubbleLock()
			delay := func() {
				if dice.oneIn(2) {
					time.Sleep(time.Duration(dice.n(1000)))
				}
			}
			clientsMu.before, devicesMu.before = delay, delay
			w := newWorld(t, newRegistry(soakOptions, clientsMu, devicesMu), dice, func() { time.Sleep(time.Duration(dice.n(100_000))) })
			w.drains = true
			w.run(6, 40)
		})
	})
}
