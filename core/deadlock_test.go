package core

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// TestInterleaving01RemoveWaitsForEnumeration is the deadlock of 2015: a Remove
// waits for a worker that enumerates devices.
//
// The kernel then held device_mutex, its one mutex for both lists, while it
// called remove(). What was settled on was a mutex for each list, with only the
// client list's held over remove(). So the test holds the registry's client
// mutex over Remove, as the kernel did after that: the two mutexes alone must
// break the deadlock. It fails as soon as one lock serves both lists, and the
// variant that has one shows that.
func TestInterleaving01RemoveWaitsForEnumeration(t *testing.T) {
	tests := []struct {
		oneLock, heldOverRemove bool
		deadlock                bool
	}{
		{oneLock: false, heldOverRemove: false, deadlock: false}, // what the registry is
		{oneLock: false, heldOverRemove: true, deadlock: false},  // what the split is worth by itself
		{oneLock: true, heldOverRemove: true, deadlock: true},    // 2015
		{oneLock: true, heldOverRemove: false, deadlock: false},  // what holding nothing is worth by itself
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("one lock %t, held over Remove %t", test.oneLock, test.heldOverRemove), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clients, devices := newBubbleLock(), newBubbleLock()
				if test.oneLock {
					devices = clients
				}
				w := newWitness(newRegistry(Options{}, clients, devices))
				var held sync.Locker = noLock{}
				if test.heldOverRemove {
					held = clients
				}
				unregister := flushInRemove(t, w, held)
				synctest.Wait()
				if stuck := !unregister.returned(); stuck != test.deadlock {
					t.Errorf("deadlock: %t, want %t", stuck, test.deadlock)
				}
				clients.breakOpen()
				if !test.oneLock {
					devices.breakOpen()
				}
				unregister.wait()
			})
		})
	}
}

// flushInRemove unregisters a device whose client, in Remove, waits for a worker
// that enumerates devices.
func flushInRemove(t *testing.T, w *witness, held sync.Locker) *task {
	a := w.actor("roce")
	a.remove = func(context.Context, Device) error {
		held.Lock()
		defer held.Unlock()
		return start(func() error { w.Devices(); return nil }).wait()
	}
	must(t, w.RegisterClient(t.Context(), a))
	id := mustRegister(t, w, hca("rxe0", 0))
	return start(func() error { return w.UnregisterDevice(context.Background(), id) })
}

// TestTheRegistryHasTwoLocks closes the gap that TestInterleaving01 leaves: it
// brings locks of its own.
func TestTheRegistryHasTwoLocks(t *testing.T) {
	r := NewRegistry(Options{})
	if r.clientsMu == r.devicesMu {
		t.Error("one lock for both lists")
	}
}

// TestInterleaving02RemoveWaitsForEnumerationBehindWriter is why a reader/writer
// lock was no way out: unregister and the worker both only read the list, but a
// writer that came between them keeps the worker out. The registry is driven by
// the rules that the kernel would have had; they deadlock with a writer, and
// only then. By its own rules it does not.
func TestInterleaving02RemoveWaitsForEnumerationBehindWriter(t *testing.T) {
	tests := []struct {
		name     string
		rwLock   bool
		writer   bool
		deadlock bool
	}{
		{name: "read lock held over Remove", rwLock: true, writer: false, deadlock: false},
		{name: "read lock held over Remove, writer waits", rwLock: true, writer: true, deadlock: true},
		{name: "the registry's own locks", rwLock: false, writer: true, deadlock: false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list := newBubbleRWLock()
				var reading, writing sync.Locker = noLock{}, noLock{}
				if test.rwLock {
					reading, writing = list.readSide(), list
				}
				stuck := flushBehindWriter(t, reading, writing, test.writer)
				if !stuck.returned() != test.deadlock {
					t.Errorf("deadlock: %t, want %t", !stuck.returned(), test.deadlock)
				}
				list.breakOpen()
				stuck.wait()
				synctest.Wait()
			})
		})
	}
}

// flushBehindWriter is flushInRemove with a registration that begins between
// Remove and the worker's enumeration.
func flushBehindWriter(t *testing.T, reading, writing sync.Locker, writer bool) *task {
	w := newWitness(newRegistry(Options{}, newBubbleLock(), newBubbleLock()))
	inRemove := newPause()
	a := w.actor("roce")
	a.remove = func(context.Context, Device) error {
		reading.Lock()
		defer reading.Unlock()
		inRemove.stop()
		return start(func() error {
			reading.Lock()
			defer reading.Unlock()
			w.Devices()
			return nil
		}).wait()
	}
	must(t, w.RegisterClient(t.Context(), a))
	id := mustRegister(t, w, hca("rxe0", 0))
	unregister := start(func() error { return w.UnregisterDevice(context.Background(), id) })
	<-inRemove.reached
	if writer {
		start(func() error {
			writing.Lock()
			defer writing.Unlock()
			_, err := w.RegisterDevice(context.Background(), hca("rxe1", 1))
			return err
		})
		synctest.Wait() // the writer is in the queue, or done
	}
	inRemove.letGo()
	synctest.Wait()
	return unregister
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
