package core

import (
	"context"
	"errors"
	"testing"
)

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
