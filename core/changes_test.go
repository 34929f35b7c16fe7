package core

import (
	"context"
	"errors"
	"testing"
)

// A change that comes when the client has read the device and is about to return
// from Add is told when it has. B, which comes after the change, needs not be
// told.
func TestInterleaving12ChangeWhileDeviceRegisters(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a", "b")[0]
		inAdd := pauseIn(&a.add)
		register := s.register(hca("rxe0", 0))
		<-inAdd.reached
		id := s.Devices()[0].ID
		gids := start(func() error { return s.Notify(context.Background(), id, ChangeGIDs) })
		netdev := start(func() error { return s.Notify(context.Background(), id, ChangeNetdev) })
		wantWaiting(t, register.task, gids, netdev)

		inAdd.letGo()
		must(t, errors.Join(register.wait(), gids.wait(), netdev.wait()))
		wantCallbacks(t, s.h, "add a #0.1 {", "} add a #0.1", "add b #0.1 {", "} add b #0.1",
			"changed a #0.1 {", "} changed a #0.1") // both changes at once
	})
}

func TestInterleaving12ChangeWhileDeviceLeaves(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "a")[0]
		inRemove := pauseIn(&a.remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		unregister := s.unregister(id)
		<-inRemove.reached
		wantErr(t, s.Notify(t.Context(), id, ChangeGIDs), ErrLeaving)
		inRemove.letGo()
		must(t, unregister.wait())
		wantErr(t, s.Notify(t.Context(), id, ChangeGIDs), ErrStale)
	})
}
