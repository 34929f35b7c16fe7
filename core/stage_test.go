package core

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ibctl/ibctl/core/rdma"
)

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
