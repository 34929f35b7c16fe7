package core

import (
	"context"
	"errors"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// Who has a name, and who waits for it.

func TestInterleaving10RenameToATakenName(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		mustRegister(t, s.witness, hca("rxe1", 1))
		wantErr(t, s.Rename(t.Context(), id, "rxe1"), ErrExists)
		must(t, s.Rename(t.Context(), id, "rxe0"))
		must(t, s.Rename(t.Context(), id, "storage"))
		mustRegister(t, s.witness, hca("rxe0", 2)) // free at once
		_, err := s.RegisterDevice(t.Context(), hca("storage", 3))
		wantErr(t, err, ErrExists)
	})
}

func TestInterleaving10RenameAndRegisterWaitForOneName(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := pauseIn(&a.remove)
		old := mustRegister(t, s.witness, hca("rxe0", 0))
		id := mustRegister(t, s.witness, hca("rxe1", 1))
		unregister := s.unregister(old)
		<-inRemove.reached

		rename := start(func() error { return s.Rename(context.Background(), id, "rxe0") })
		register := s.register(hca("rxe0", 2))
		wantWaiting(t, unregister, rename, register.task)

		inRemove.letGo()
		must(t, unregister.wait())
		errs := []error{rename.wait(), register.wait()}
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("got %v: want one to have the name and one not", errs)
		}
		wantErr(t, errors.Join(errs...), ErrExists)
		_, err := s.LookupName("rxe0")
		must(t, err)
	})
}

func TestInterleaving10RenameALeavingDevice(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := pauseIn(&a.remove)
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		unregister := s.unregister(id)
		<-inRemove.reached
		wantErr(t, s.Rename(t.Context(), id, "rxe1"), ErrLeaving)
		mustRegister(t, s.witness, hca("rxe1", 1)) // not taken by the attempt
		_, err := s.LookupName("rxe0")
		wantErr(t, err, ErrLeaving)
		inRemove.letGo()
		must(t, unregister.wait())
	})
}

func TestInterleaving10DeviceLeavesWhileItsRenameWaits(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		inRemove := pauseIn(&a.remove)
		old := mustRegister(t, s.witness, hca("rxe0", 0))
		id := mustRegister(t, s.witness, hca("rxe1", 1))
		unregister := s.unregister(old)
		<-inRemove.reached
		rename := start(func() error { return s.Rename(context.Background(), id, "rxe0") })
		wantWaiting(t, rename)
		must(t, s.UnregisterDevice(t.Context(), id))
		wantErr(t, rename.wait(), ErrLeaving)
		inRemove.letGo()
		must(t, unregister.wait())
	})
}

func TestInterleaving11DeviceReappears(t *testing.T) {
	tests := map[string]rdma.Device{
		"same name":           hca("rxe0", 7),
		"same index":          hca("rxe7", 0),
		"same name and index": hca("rxe0", 0),
	}
	for name, again := range tests {
		t.Run(name, func(t *testing.T) {
			staged(t, func(t *testing.T, s *stage) {
				a := cast(s.witness, "roce")[0]
				inRemove := pauseIn(&a.remove)
				old := mustRegister(t, s.witness, hca("rxe0", 0))
				_, err := s.RegisterDevice(t.Context(), again)
				wantErr(t, err, ErrExists)

				unregister := s.unregister(old)
				<-inRemove.reached
				register := s.register(again)
				ctx, cancel := context.WithCancel(t.Context())
				impatient := start(func() error { _, err := s.RegisterDevice(ctx, again); return err })
				wantWaiting(t, unregister, register.task, impatient)
				cancel()
				wantErr(t, impatient.wait(), context.Canceled)
				wantWaiting(t, unregister, register.task)

				inRemove.letGo()
				must(t, errors.Join(unregister.wait(), register.wait()))
				if register.id.Generation != 2 {
					t.Errorf("got %v, want generation 2", register.id)
				}
				_, err = s.Lookup(old)
				wantErr(t, err, ErrStale)
			})
		})
	}
}
