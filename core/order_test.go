package core

import (
	"context"
	"fmt"
	"sync"
	"testing"
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
