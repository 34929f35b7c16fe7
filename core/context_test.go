package core

import (
	"context"
	"errors"
	"testing"
)

// What the end of a ctx may do, and what it may not.

func TestCancelledRegisterDeviceIsUndone(t *testing.T) {
	for _, addSucceeds := range []bool{true, false} {
		staged(t, func(t *testing.T, s *stage) {
			a := cast(s.witness, "first", "slow")[1]
			inAdd, inRemove := newPause(), newPause()
			a.add = func(ctx context.Context, _ Device) error {
				inAdd.stop()
				<-ctx.Done()
				if addSucceeds {
					return nil
				}
				return ctx.Err()
			}
			first := s.clients[0].impl.(*actor)
			first.remove = func(context.Context, Device) error { inRemove.stop(); return nil }

			ctx, cancel := context.WithCancel(t.Context())
			register := start(func() error { _, err := s.RegisterDevice(ctx, hca("rxe0", 0)); return err })
			<-inAdd.reached
			inAdd.letGo()
			wantWaiting(t, register)
			cancel()
			<-inRemove.reached
			wantWaiting(t, register) // it returns after the end, like any unregistering
			inRemove.letGo()
			wantErr(t, register.wait(), context.Canceled)
			_, err := s.LookupName("rxe0")
			wantErr(t, err, ErrNotRegistered)
		})
	}
}

func TestCancelledRegisterClientIsUndone(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		one := mustRegister(t, s.witness, hca("rxe0", 0))
		two := mustRegister(t, s.witness, hca("rxe1", 1))
		slow := s.actor("slow")
		inAdd := newPause()
		slow.add = func(ctx context.Context, dev Device) error {
			if dev.ID == two {
				inAdd.stop()
				<-ctx.Done()
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		enroll := start(func() error { return s.RegisterClient(ctx, slow) })
		<-inAdd.reached
		inAdd.letGo()
		wantWaiting(t, enroll)
		cancel()
		wantErr(t, enroll.wait(), context.Canceled)
		if list := s.Clients(); len(list) != 0 {
			t.Errorf("got clients %v, want none", list)
		}
		again := s.actor("slow")
		again.label = "slow/2"
		must(t, s.RegisterClient(t.Context(), again)) // the name is free
		must(t, s.UnregisterDevice(t.Context(), one))
	})
}

func TestRegisterWithEndedContextDoesNothing(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.RegisterDevice(ctx, hca("rxe0", 0))
		wantErr(t, err, context.Canceled)
		wantErr(t, s.RegisterClient(ctx, s.actor("a")), context.Canceled)
		if n := len(s.events()); n != 0 {
			t.Errorf("%d events, want none", n)
		}
	})
}

func TestRegisterClientWaitsForItsPredecessor(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := pauseIn(&a.remove)
		mustRegister(t, s.witness, hca("rxe0", 0))
		wantErr(t, s.RegisterClient(t.Context(), s.actor("roce")), ErrExists)

		dismiss := s.dismiss(a)
		<-inRemove.reached
		successor := s.actor("roce")
		successor.label = "roce/2"
		enroll := s.enroll(successor)
		ctx, cancel := context.WithCancel(t.Context())
		impatient := start(func() error { return s.Registry.RegisterClient(ctx, s.actor("roce")) })
		wantWaiting(t, dismiss, enroll, impatient)
		cancel()
		wantErr(t, impatient.wait(), context.Canceled)

		inRemove.letGo()
		must(t, errors.Join(dismiss.wait(), enroll.wait()))
		wantCallbacks(t, s.h, "add roce #0.1 {", "} add roce #0.1", "remove roce #0.1 {", "} remove roce #0.1",
			"add roce/2 #0.1 {", "} add roce/2 #0.1")
	})
}

// An ended ctx must not cut an unregistering short, nor reach the client as an
// ended one.
func TestUnregisterIgnoresTheEndOfItsContext(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := newPause()
		a.remove = func(ctx context.Context, _ Device) error {
			inRemove.stop()
			return ctx.Err()
		}
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		device := start(func() error { return s.UnregisterDevice(ctx, id) })
		<-inRemove.reached
		client := start(func() error { return s.UnregisterClient(ctx, "roce") })
		wantWaiting(t, device, client)
		inRemove.letGo()
		must(t, errors.Join(device.wait(), client.wait()))
	})
}

func TestContextValuesReachTheClient(t *testing.T) {
	type key struct{}
	staged(t, func(t *testing.T, s *stage) {
		var seen []any
		var last context.Context
		look := func(ctx context.Context, _ Device) error {
			last = ctx
			seen = append(seen, ctx.Value(key{}))
			return ctx.Err()
		}
		a := s.actor("roce")
		a.add, a.remove = look, look
		a.changed = func(ctx context.Context, dev Device, _ Change) error { return look(ctx, dev) }
		must(t, s.RegisterClient(t.Context(), a))
		with := func(value string) context.Context { return context.WithValue(t.Context(), key{}, value) }

		id, err := s.RegisterDevice(with("register"), hca("rxe0", 0))
		must(t, err)
		wantErr(t, last.Err(), context.Canceled) // it is not for what runs after Add
		must(t, s.Notify(with("notify"), id, ChangeGIDs))
		must(t, s.UnregisterDevice(with("unregister"), id))
		if len(seen) != 3 || seen[0] != "register" || seen[1] != "notify" || seen[2] != "unregister" {
			t.Errorf("got values %v", seen)
		}
	})
}

// A client's Changed is called back when its device leaves, or it.
func TestChangedIsCalledBack(t *testing.T) {
	for _, byDevice := range []bool{true, false} {
		staged(t, func(t *testing.T, s *stage) {
			a := cast(s.witness, "roce")[0]
			busy := newPause()
			a.changed = func(ctx context.Context, _ Device, _ Change) error {
				busy.stop()
				<-ctx.Done()
				return context.Cause(ctx)
			}
			id := mustRegister(t, s.witness, hca("rxe0", 0))
			notify := start(func() error { return s.Notify(context.Background(), id, ChangeGIDs) })
			<-busy.reached
			busy.letGo()
			end := func() *task { return s.dismiss(a) }
			if byDevice {
				end = func() *task { return s.unregister(id) }
			}
			must(t, errors.Join(end().wait(), notify.wait()))
			for _, ev := range s.events() {
				if ev.Kind == ClientTold && !errors.Is(ev.Err, ErrLeaving) {
					t.Errorf("Changed returned %v", ev.Err)
				}
			}
		})
	}
}
