package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ibctl/ibctl/core/rdma"
)

// The interleavings in which the kernel's registry went wrong, or could have.
// Numbers 1 and 2 are in deadlock_test.go. Each test also holds its history
// against the invariants.

// staged runs a test in a bubble, with a registry whose locks it can stop
// goroutines at.
func staged(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{clientsMu: newBubbleLock(), devicesMu: newBubbleLock()}
		s.witness = newWitness(newRegistry(Options{}, s.clientsMu, s.devicesMu))
		test(t, s)
		synctest.Wait()
		for _, v := range append(check(s.h.records), checkEvents(s.events())...) {
			t.Error(v)
		}
		if t.Failed() {
			t.Logf("history:\n%v", s.h)
		}
	})
}

type stage struct {
	*witness
	clientsMu, devicesMu *bubbleLock
}

// unregister begins to unregister a device.
func (s *stage) unregister(id ID) *task {
	return start(func() error { return s.UnregisterDevice(context.Background(), id) })
}

// dismiss begins to unregister a client.
func (s *stage) dismiss(a *actor) *task {
	return start(func() error { return s.UnregisterClient(context.Background(), a.name) })
}

// register begins to register a device.
func (s *stage) register(info rdma.Device) *registration {
	reg := &registration{}
	reg.task = start(func() (err error) {
		reg.id, err = s.RegisterDevice(context.Background(), info)
		return err
	})
	return reg
}

type registration struct {
	*task
	id ID
}

// enroll begins to register a client.
func (s *stage) enroll(a *actor) *task {
	return start(func() error { return s.RegisterClient(context.Background(), a) })
}

// pauseIn stops the first call of the callback.
func pauseIn(callback *func(context.Context, Device) error) *pause {
	p, first := newPause(), true
	*callback = func(context.Context, Device) error {
		if first {
			first = false
			p.stop()
		}
		return nil
	}
	return p
}

func mustRegister(t *testing.T, w *witness, info rdma.Device) ID {
	t.Helper()
	id, err := w.RegisterDevice(t.Context(), info)
	must(t, err)
	return id
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

// wantWaiting waits until nothing moves and wants these calls not to have
// returned.
func wantWaiting(t *testing.T, tasks ...*task) {
	t.Helper()
	synctest.Wait()
	for i, task := range tasks {
		if task.returned() {
			t.Errorf("call %d returned early: %v", i, task.err)
		}
	}
}

func wantCallbacks(t *testing.T, h *history, want ...string) {
	t.Helper()
	if got := h.callbacks(); !slices.Equal(got, want) {
		t.Errorf("got callbacks\n%q\nwant\n%q", got, want)
	}
}

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
		if n := s.clients[0].users.users; n != 0 {
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

// renames are the cases of interleaving 10.
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

// errDied is what the object that stands for a plugin returns when the process
// tree is proven dead.
var errDied = errors.New("plugin was killed")

// plugin is an actor whose calls end by an answer or by the death of a process,
// which ends them for all devices; a call that is given up has not ended.
func plugin(a *actor) (answer, death chan struct{}) {
	answer, death = make(chan struct{}), make(chan struct{})
	call := func(context.Context, Device) error {
		select {
		case <-answer:
			return nil
		case <-death:
			return errDied
		}
	}
	a.add, a.remove = call, call
	return answer, death
}

func TestInterleaving13PluginDiesInAdd(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		_, death := plugin(a)
		register := s.register(hca("rxe0", 0))
		wantWaiting(t, register.task)
		close(death)
		must(t, register.wait())
		must(t, s.UnregisterDevice(t.Context(), register.id))
		wantCallbacks(t, s.h, "add roce #0.1 {", "} add roce #0.1")
	})
}

func TestInterleaving13PluginDiesInRemove(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		one := mustRegister(t, s.witness, hca("rxe0", 0))
		two := mustRegister(t, s.witness, hca("rxe1", 1))
		_, death := plugin(a)

		first, second := s.unregister(one), s.unregister(two)
		wantWaiting(t, first, second)
		client := s.dismiss(a)
		wantWaiting(t, first, second, client)
		close(death)
		wantErr(t, first.wait(), errDied)
		wantErr(t, second.wait(), errDied)
		wantErr(t, client.wait(), errDied)
		wantErr(t, s.UnregisterDevice(t.Context(), one), ErrStale) // it is gone all the same
	})
}

// That its ctx has ended proves nothing about a stopped plugin.
func TestInterleaving13PluginIsStoppedInRemove(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		a := cast(s.witness, "roce")[0]
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		answer, _ := plugin(a)
		ctx, cancel := context.WithCancel(t.Context())
		unregister := start(func() error { return s.UnregisterDevice(ctx, id) })
		cancel()
		wantWaiting(t, unregister)
		close(answer)
		must(t, unregister.wait())
	})
}

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
