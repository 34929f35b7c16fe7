package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

func TestRemovesComeInReverse(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a", "b", "c")
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.UnregisterDevice(t.Context(), id))
		wantCallbacks(t, s.h,
			"add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1", "add c #0.1 {", "} add c #0.1",
			"remove c #0.1 {", "} remove c #0.1", "remove b #0.1 {", "} remove b #0.1", "remove a #0.1 {", "} remove a #0.1")
	})
}

// A client that is off its devices is gone, though a device of it is still busy
// with another client's Remove, in somebody else's hands.
func TestUnregisterClientWaitsForNoOtherClient(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		actors := cast(s.witness, "slow", "quick")
		inRemove, inQuick := pauseIn(&actors[0].remove), pauseIn(&actors[1].remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		device := s.unregister(id)
		<-inQuick.reached
		client := s.dismiss(actors[1])
		wantWaiting(t, device, client)
		inQuick.letGo()
		<-inRemove.reached
		must(t, client.wait())
		wantWaiting(t, device)
		inRemove.letGo()
		must(t, device.wait())
	})
}

// Nor does it wait for a client that is about to be added to its device.
func TestUnregisterClientDoesNotAddOthers(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a, b := cast(s.witness, "a")[0], s.actor("b")
		inRemove, inAdd := pauseIn(&a.remove), pauseIn(&b.add)
		mustRegister(t, s.witness, hca("rxe0", 0))
		dismiss := s.dismiss(a)
		<-inRemove.reached
		enroll := s.enroll(b)
		wantWaiting(t, dismiss, enroll)
		inRemove.letGo()
		must(t, dismiss.wait())
		<-inAdd.reached
		wantWaiting(t, enroll)
		inAdd.letGo()
		must(t, enroll.wait())
	})
}

// A device that does not get on with its leaving keeps nobody else.
func TestLeavingDeviceHoldsNobodyUp(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		slow := cast(s.witness, "slow")[0]
		inRemove := pauseIn(&slow.remove)
		stuck := mustRegister(t, s.witness, hca("rxe0", 0))
		unregister := s.unregister(stuck)
		<-inRemove.reached

		must(t, s.RegisterClient(t.Context(), s.actor("other")))
		id := mustRegister(t, s.witness, hca("rxe1", 1))
		must(t, s.UnregisterDevice(t.Context(), id))
		must(t, s.UnregisterClient(t.Context(), "other"))
		wantWaiting(t, unregister)
		inRemove.letGo()
		must(t, unregister.wait())
	})
}

// A device that begins to leave while a client waits for its turn keeps the
// client no longer.
func TestRegisterClientGivesUpOnALeavingDevice(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		slow := cast(s.witness, "slow")[0]
		inChange := newPause()
		slow.changed = func(context.Context, Device, Change) error { inChange.stop(); return nil }
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		notify := start(func() error { return s.Notify(context.Background(), id, ChangeGIDs) })
		<-inChange.reached
		enroll := s.enroll(s.actor("other"))
		wantWaiting(t, enroll)
		unregister := s.unregister(id)
		must(t, enroll.wait())
		wantWaiting(t, unregister)
		inChange.letGo()
		must(t, errors.Join(notify.wait(), unregister.wait()))
	})
}

// Whoever has the turn may have looked for the last time when somebody comes
// with something to do. It must not be lost, though the turn is taken.
func TestNothingIsLostBehindTheLastLook(t *testing.T) {
	tests := map[string]struct {
		late func(s *stage, a *actor, id ID) *task
		want []string // after Add
	}{
		"unregister device": {
			func(s *stage, _ *actor, id ID) *task { return s.unregister(id) },
			[]string{"remove a #0.1 {", "} remove a #0.1"},
		},
		"unregister client": {
			func(s *stage, a *actor, _ ID) *task { return s.dismiss(a) },
			[]string{"remove a #0.1 {", "} remove a #0.1"},
		},
		"register client": {
			func(s *stage, _ *actor, _ ID) *task { return s.enroll(s.actor("b")) },
			[]string{"add b #0.1 {", "} add b #0.1"},
		},
		"notify": {
			func(s *stage, _ *actor, id ID) *task {
				return start(func() error { return s.Notify(context.Background(), id, ChangeGIDs) })
			},
			[]string{"changed a #0.1 {", "} changed a #0.1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			staged(t, func(t *testing.T, s *stage) {
				a := cast(s.witness, "a")[0]
				var settled *pause
				a.add = func(context.Context, Device) error {
					settled = s.devicesMu.stopNth(2) // after the last look, before the turn is given up
					return nil
				}
				register := s.register(hca("rxe0", 0))
				synctest.Wait()
				<-settled.reached
				late := test.late(s, a, ID{0, 1})
				wantWaiting(t, register.task, late)
				settled.letGo()
				must(t, late.wait())
				<-register.done
				wantCallbacks(t, s.h, append([]string{"add a #0.1 {", "} add a #0.1"}, test.want...)...)
			})
		})
	}
}

// A client is not called at all if its device began to leave when it had just
// been chosen.
func TestAddIsNotBegunOnALeavingDevice(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		cast(s.witness, "a")
		chosen := s.clientsMu.stopNext() // after the device was looked at
		register := s.register(hca("rxe0", 0))
		<-chosen.reached
		unregister := s.unregister(ID{0, 1})
		wantWaiting(t, unregister)
		chosen.letGo()
		must(t, unregister.wait())
		wantErr(t, register.wait(), ErrLeaving)
		wantCallbacks(t, s.h)
	})
}

// The same if it is the client that leaves.
func TestAddIsNotBegunForALeavingClient(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		chosen := s.devicesMu.stopNth(3) // to reserve, to look, and to begin
		register := s.register(hca("rxe0", 0))
		<-chosen.reached
		wantStates(t, s, "a #0.1 adding")
		dismiss := s.dismiss(a)
		wantWaiting(t, dismiss)
		chosen.letGo()
		must(t, errors.Join(dismiss.wait(), register.wait()))
		wantCallbacks(t, s.h)
	})
}

// Devices wait for each other neither when a client comes nor when it goes: each
// of its calls here waits for those for the other devices to have begun.
func TestClientsAreServedInParallel(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		var adds, removes sync.WaitGroup
		for i := range uint32(4) {
			mustRegister(t, s.witness, hca(fmt.Sprintf("rxe%d", i), i))
			adds.Add(1)
			removes.Add(1)
		}
		a := s.actor("roce")
		a.add = func(context.Context, Device) error { adds.Done(); adds.Wait(); return nil }
		a.remove = func(context.Context, Device) error { removes.Done(); removes.Wait(); return nil }
		must(t, s.RegisterClient(t.Context(), a))
		must(t, s.UnregisterClient(t.Context(), "roce"))
	})
}
