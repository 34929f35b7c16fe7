package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errStubborn is what a Remove may say that went wrong.
var errStubborn = errors.New("had to be killed")

// someActor returns a client that drives devices with a worker for each, which
// its Remove waits for. It may refuse a device, take its time, lease what it
// drives, or not care for changes.
func (w *world) someActor() *actor {
	w.mu.Lock()
	w.actors++
	label := fmt.Sprint(w.actors)
	w.mu.Unlock()
	a := w.actor(fmt.Sprintf("client%d", w.dice.n(5)))
	if a.deaf = w.dice.oneIn(3); a.deaf {
		label = "-" + label
	}
	a.label = label

	var jobs sync.Map // by ID
	a.add = func(ctx context.Context, dev Device) error {
		w.learn(dev.ID)
		w.dally()
		w.someLook()
		if w.dice.oneIn(6) || ctx.Err() != nil && w.dice.oneIn(2) {
			return errors.New("does not suit me")
		}
		return nil
	}
	a.added = func(h *handle, dev Device) { jobs.Store(dev.ID, w.newJob(h, dev)) }
	a.changed = func(context.Context, Device, Change) error { w.dally(); return nil }
	a.remove = func(_ context.Context, dev Device) error {
		w.dally()
		w.someLook()
		done, _ := jobs.LoadAndDelete(dev.ID)
		done.(*job).end()
		if w.dice.oneIn(8) {
			return errStubborn
		}
		return nil
	}
	return a
}

// job is a worker that a client has for a device.
type job struct {
	stop  chan struct{}
	group sync.WaitGroup
}

func (w *world) newJob(h *handle, dev Device) *job {
	w.mu.Lock()
	w.handles = append(w.handles, h)
	w.mu.Unlock()
	lease, err := w.Acquire(dev.ID, "client")
	j := &job{stop: make(chan struct{})}
	j.group.Go(func() {
		if err == nil {
			defer w.Release(lease)
		}
		for {
			select {
			case <-j.stop:
				return
			default:
				h.use()
				w.someLook()
				time.Sleep(time.Duration(100_000 + w.dice.n(100_000)))
			}
		}
	})
	return j
}

func (j *job) end() {
	close(j.stop)
	j.group.Wait()
}
