package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// The interleavings in which the kernel's registry went wrong, or could have.
// Numbers 1 and 2 are in deadlock_test.go, 10 and 11 in names_test.go, 12 in
// changes_test.go, 13 in death_test.go. Each test also holds its history against
// the invariants.

// In 5.3 the bug of 2015 came back with another lock: a Remove waits for a worker
// that asks for what belongs to the device.
func TestInterleaving03RemoveWaitsForGetter(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		cast(s.witness, "first")
		a := s.actor("second")
		a.remove = func(_ context.Context, dev Device) error {
			return start(func() error {
				if _, err := s.Data("first", dev.ID); err != nil {
					return err
				}
				if n := len(s.Attachments()); n != 2 {
					return fmt.Errorf("%d attachments", n)
				}
				_, err := s.Lookup(dev.ID)
				wantErr(t, err, ErrLeaving)
				return nil
			}).wait()
		}
		must(t, s.RegisterClient(t.Context(), a))
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.UnregisterDevice(t.Context(), id))
	})
}

func TestInterleaving04UnregisterDeviceAndClient(t *testing.T) {
	for _, deviceFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("device first %t", deviceFirst), func(t *testing.T) {
			staged(t, func(t *testing.T, s *stage) {
				a := cast(s.witness, "roce")[0]
				inRemove := pauseIn(&a.remove)
				id := mustRegister(t, s.witness, hca("rxe0", 0))

				calls := []func() *task{
					func() *task { return s.unregister(id) },
					func() *task { return s.dismiss(a) },
				}
				if !deviceFirst {
					slices.Reverse(calls)
				}
				one := calls[0]()
				<-inRemove.reached
				two := calls[1]()
				wantWaiting(t, one, two)

				inRemove.letGo()
				must(t, errors.Join(one.wait(), two.wait()))
				wantCallbacks(t, s.h, "add roce #0.1 {", "} add roce #0.1", "remove roce #0.1 {", "} remove roce #0.1")
			})
		})
	}
}

func TestInterleaving05ManyUnregisterOneDevice(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := pauseIn(&a.remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		lease, err := s.Acquire(id, "test")
		must(t, err)

		var calls []*task
		for range 8 {
			calls = append(calls, s.unregister(id))
		}
		wantWaiting(t, calls...)
		inRemove.letGo()
		wantWaiting(t, calls...) // the lease
		s.Release(lease)
		for _, call := range calls {
			must(t, call.wait())
		}
		wantErr(t, s.UnregisterDevice(t.Context(), id), ErrStale)
	})
}

func TestInterleaving06UnregisterDeviceWhileItRegisters(t *testing.T) {
	for _, givesUp := range []bool{true, false} {
		t.Run(fmt.Sprintf("gives up %t", givesUp), func(t *testing.T) {
			staged(t, func(t *testing.T, s *stage) {
				b := cast(s.witness, "a", "b", "c")[1]
				inAdd := newPause()
				b.add = func(ctx context.Context, dev Device) error {
					inAdd.stop()
					<-ctx.Done()
					wantErr(t, context.Cause(ctx), ErrLeaving)
					if givesUp {
						return ctx.Err()
					}
					return nil
				}
				register := s.register(hca("rxe0", 0))
				<-inAdd.reached
				dev := s.Devices()[0]
				unregister := s.unregister(dev.ID)
				wantWaiting(t, register.task, unregister)

				inAdd.letGo()
				must(t, unregister.wait())
				wantErr(t, register.wait(), ErrLeaving)
				want := []string{"add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1"}
				if !givesUp {
					want = append(want, "remove b #0.1 {", "} remove b #0.1")
				}
				wantCallbacks(t, s.h, append(want, "remove a #0.1 {", "} remove a #0.1")...)
			})
		})
	}
}

// The kernel takes devices_rwsem for writing to register a client, since 6.9;
// else B's add could come first.
func TestInterleaving07RegisterClientWhileDeviceIsEnabled(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a")
		marked := s.clientsMu.stopNext() // the next look at the clients is the device's
		register := s.register(hca("rxe0", 0))
		<-marked.reached
		if n := len(s.Devices()); n != 1 {
			t.Errorf("%d devices are marked, want 1", n)
		}
		enroll := s.enroll(s.actor("b"))
		wantWaiting(t, register.task, enroll)

		marked.letGo()
		must(t, errors.Join(register.wait(), enroll.wait()))
		wantCallbacks(t, s.h, "add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1")
	})
}

// The same, the other way about: the device is there, and B overtakes A.
func TestInterleaving07RegisterClientOvertakesAnother(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		enrolled := s.devicesMu.stopNext() // the next look at the devices is A's
		a := s.enroll(s.actor("a"))
		<-enrolled.reached
		b := s.enroll(s.actor("b"))
		must(t, b.wait())
		wantCallbacks(t, s.h, "add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1")

		enrolled.letGo()
		must(t, a.wait())
		must(t, s.UnregisterDevice(t.Context(), id))
	})
}

func TestInterleaving08AddFails(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		boom := errors.New("no GID table")
		a.add = func(context.Context, Device) error { return boom }
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		other := mustRegister(t, s.witness, hca("rxe1", 1))

		if list := s.Attachments(); len(list) != 2 || list[0].State != AttachFailed || !errors.Is(list[0].Err, boom) {
			t.Errorf("got attachments %v, want two failures", list)
		}
		_, err := s.Data("roce", id)
		wantErr(t, err, ErrNotAttached)
		if n := s.clients[0].users.inside; n != 0 {
			t.Errorf("%d users are counted, want 0", n)
		}
		must(t, s.Notify(t.Context(), id, ChangeGIDs))
		must(t, s.UnregisterDevice(t.Context(), id))
		wantStates(t, s, "roce #1.2 failed")
		must(t, s.UnregisterClient(t.Context(), a.name))
		must(t, s.UnregisterDevice(t.Context(), other))
		if list := s.Attachments(); len(list) != 0 {
			t.Errorf("got attachments %v, want none", list)
		}
		wantCallbacks(t, s.h, "add roce #0.1 {", "} add roce #0.1", "add roce #1.2 {", "} add roce #1.2")
	})
}

func TestInterleaving09LeaseBlocksUnregister(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		cast(s.witness, "roce")
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		one, err := s.Acquire(id, "gid show")
		must(t, err)
		two, err := s.Acquire(id, "gid show")
		must(t, err)

		unregister := s.unregister(id)
		wantWaiting(t, unregister)
		<-one.Leaving()
		_, err = s.Acquire(id, "late")
		wantErr(t, err, ErrLeaving)
		wantCallbacks(t, s.h, "add roce #0.1 {", "} add roce #0.1", "remove roce #0.1 {", "} remove roce #0.1")

		s.Release(one)
		s.Release(one) // counts once
		wantWaiting(t, unregister)
		s.Release(two)
		must(t, unregister.wait())
		_, err = s.Acquire(id, "later")
		wantErr(t, err, ErrStale)
	})
}
