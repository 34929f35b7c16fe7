package core

import (
	"context"
	"fmt"
	"testing"
)

func TestInterleaving14CallbacksUseTheRegistry(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		first, a := s.actor("first"), s.actor("roce")
		a.add = func(ctx context.Context, dev Device) error {
			got, err := s.Lookup(dev.ID)
			must(t, err)
			if got.Info.Name != "rxe0" {
				t.Errorf("got %v", got)
			}
			_, err = s.Data("roce", dev.ID)
			wantErr(t, err, ErrNotAttached)
			return tryToChange(t, s, ctx, dev)
		}
		a.changed = func(ctx context.Context, dev Device, _ Change) error {
			_, err := s.Data("roce", dev.ID)
			must(t, err)
			return tryToChange(t, s, ctx, dev)
		}
		a.remove = func(ctx context.Context, dev Device) error {
			if list := s.Devices(); len(list) != 0 {
				t.Errorf("got devices %v, want none", list)
			}
			_, err := s.LookupName("rxe0")
			wantErr(t, err, ErrLeaving)
			_, err = s.LookupIndex(0)
			wantErr(t, err, ErrLeaving)
			_, err = s.Acquire(dev.ID, "roce")
			wantErr(t, err, ErrLeaving)
			_, err = s.Data("roce", dev.ID)
			wantErr(t, err, ErrNotAttached)
			_, err = s.Data("first", dev.ID)
			must(t, err)
			return tryToChange(t, s, ctx, dev)
		}
		must(t, s.RegisterClient(t.Context(), first))
		must(t, s.RegisterClient(t.Context(), a))
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.Notify(t.Context(), id, ChangeGIDs))
		must(t, s.UnregisterDevice(t.Context(), id))
	})
}

// tryToChange wants everything to be refused that a callback may not do.
func tryToChange(t *testing.T, s *stage, ctx context.Context, dev Device) error {
	_, err := s.RegisterDevice(ctx, hca("rxe9", 9))
	wantErr(t, err, ErrInCallback)
	wantErr(t, s.Registry.UnregisterDevice(ctx, dev.ID), ErrInCallback)
	wantErr(t, s.Registry.RegisterClient(ctx, s.actor("other")), ErrInCallback)
	wantErr(t, s.Registry.UnregisterClient(ctx, "roce"), ErrInCallback)
	wantErr(t, s.Registry.Rename(ctx, dev.ID, "rxe9"), ErrInCallback)
	wantErr(t, s.Registry.Update(ctx, dev.ID, dev.Info), ErrInCallback)
	wantErr(t, s.Registry.Notify(ctx, dev.ID, ChangeGIDs), ErrInCallback)

	other := NewRegistry(Options{})
	_, err = other.RegisterDevice(ctx, hca("rxe9", 9))
	must(t, err) // the mark is of one registry
	return nil
}

// worker touches the device again and again until it is told to stop.
type worker struct {
	stop, done chan struct{}
}

func work(h *handle, step chan struct{}) *worker {
	w := &worker{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			select {
			case <-step:
				h.use()
			case <-w.stop:
				return
			}
		}
	}()
	return w
}

// A worker that its client stops in Remove touches the device no more. One that
// is forgotten does, and is found out: so the detector works.
func TestInterleaving15AccessAfterRemove(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		t.Run(fmt.Sprintf("worker forgotten %t", forgotten), func(t *testing.T) {
			staged(t, func(t *testing.T, s *stage) {
				a := s.actor("roce")
				var busy *worker
				a.remove = func(context.Context, Device) error {
					if !forgotten {
						close(busy.stop)
						<-busy.done
					}
					return nil
				}
				must(t, s.RegisterClient(t.Context(), a))
				id := mustRegister(t, s.witness, hca("rxe0", 0))
				data, err := s.Data("roce", id)
				must(t, err)
				step := make(chan struct{})
				busy = work(data.(*handle), step)
				step <- struct{}{}
				must(t, s.UnregisterDevice(t.Context(), id))
				if forgotten {
					step <- struct{}{}
					close(busy.stop)
					<-busy.done
				}
				if misused := data.(*handle).misused.Load() > 0; misused != forgotten {
					t.Errorf("access after Remove: %t, want %t", misused, forgotten)
				}
			})
		})
	}
}
