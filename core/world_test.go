package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// world is what the callers share.
type world struct {
	*witness
	t     *testing.T
	dice  *dice
	dally func() // lets time pass
	// drains tells whether devices are drained, too. A client may then come onto
	// a device several times, which the rules for histories do not know; the log
	// tells as much, and more exactly.
	drains bool

	mu      sync.Mutex
	ids     []ID
	actors  int
	handles []*handle
}

func newWorld(t *testing.T, r *Registry, dice *dice, dally func()) *world {
	return &world{witness: newWitness(r), t: t, dice: dice, dally: dally}
}

// run lets callers loose, clears up, and judges.
func (w *world) run(callers, steps int) {
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range steps {
				w.step()
				w.dally()
			}
		})
	}
	group.Wait()
	w.clearUp()
	w.judge()
}

// step is one thing that somebody does.
func (w *world) step() {
	steps := []struct {
		weight int
		do     func()
	}{
		{6, w.someDevice}, {5, w.endDevice}, {3, w.someClient}, {2, w.endClient},
		{3, w.someRename}, {4, w.someChange}, {4, w.someLease}, {4, w.someLook},
	}
	if w.drains && w.dice.oneIn(4) {
		w.someDrain()
		return
	}
	n := w.dice.n(31)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.do()
			return
		}
	}
}

// someCtx returns a ctx that may end early.
func (w *world) someCtx() (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if w.dice.oneIn(4) {
		return context.WithTimeout(ctx, time.Duration(w.dice.n(200_000)))
	}
	return ctx, func() {}
}

func (w *world) someDevice() {
	ctx, cancel := w.someCtx()
	defer cancel()
	info := rdma.Device{Name: w.someName()}
	if !w.dice.oneIn(5) {
		info.Index = rdma.Known(uint32(w.dice.n(6)))
	}
	register := w.RegisterDevice
	if w.drains && w.dice.oneIn(4) {
		register = w.registerDrained
	}
	_, err := register(ctx, info)
	w.allow("register device", err, ErrExists, ErrLeaving, context.DeadlineExceeded)
}

func (w *world) someName() string { return fmt.Sprintf("rxe%d", w.dice.n(5)) }

// someID returns the ID of a device that there was, or is.
func (w *world) someID() ID {
	if w.dice.oneIn(3) {
		if dev, ok := pick(w.dice, w.Devices()); ok {
			return dev.ID
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	recent := w.ids[max(0, len(w.ids)-8):]
	id, _ := pick(w.dice, recent)
	return id
}

// learn makes an ID known to the others.
func (w *world) learn(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = append(w.ids, id)
}

func (w *world) endDevice() {
	ctx, cancel := w.someCtx()
	defer cancel()
	w.allow("unregister device", w.UnregisterDevice(ctx, w.someID()), ErrStale, ErrNotRegistered, errStubborn)
}

func (w *world) someClient() {
	ctx, cancel := w.someCtx()
	defer cancel()
	err := w.RegisterClient(ctx, w.someActor())
	w.allow("register client", err, ErrExists, ErrLeaving, context.DeadlineExceeded)
}

func (w *world) endClient() {
	name, ok := pick(w.dice, w.Clients())
	if ok {
		w.allow("unregister client", w.UnregisterClient(context.Background(), name), ErrNotRegistered, errStubborn)
	}
}

func (w *world) someRename() {
	ctx, cancel := w.someCtx()
	defer cancel()
	err := w.Rename(ctx, w.someID(), w.someName())
	w.allow("rename", err, ErrExists, ErrLeaving, ErrStale, ErrNotRegistered, context.DeadlineExceeded)
}

func (w *world) someChange() {
	id := w.someID()
	if dev, err := w.Lookup(id); err == nil && w.dice.oneIn(3) {
		dev.Info.Firmware = fmt.Sprint(w.dice.n(3))
		err := w.Update(context.Background(), id, dev.Info)
		w.allow("update", err, ErrInvalid, ErrLeaving, ErrStale)
		return
	}
	what := Change(1 + w.dice.n(15))
	w.allow("notify", w.Notify(context.Background(), id, what), ErrLeaving, ErrStale, ErrNotRegistered)
}

func (w *world) someLease() {
	lease, err := w.Acquire(w.someID(), "caller")
	w.allow("acquire", err, ErrDrained, ErrLeaving, ErrStale, ErrNotRegistered)
	if err == nil {
		w.dally()
		w.someLook()
		w.Release(lease)
	}
}

// someLook reads, which anybody may at any time.
func (w *world) someLook() {
	switch w.dice.n(4) {
	case 0:
		w.Devices()
	case 1:
		w.LookupName(w.someName())
	case 2:
		w.Data(fmt.Sprintf("client%d", w.dice.n(5)), w.someID())
	case 3:
		for _, a := range w.Attachments() {
			if (a.State == AttachFailed) != (a.Err != nil) {
				w.t.Errorf("attachment %+v", a)
			}
		}
	}
}

// allow reports errors that are not to be expected.
func (w *world) allow(what string, err error, expected ...error) {
	for _, e := range expected {
		if errors.Is(err, e) {
			return
		}
	}
	if err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
}

// clearUp takes everything off, by several callers at once.
func (w *world) clearUp() {
	var group sync.WaitGroup
	for _, dev := range append(w.Devices(), w.Drained()...) {
		for range 2 {
			group.Go(func() {
				w.allow("clear up", w.UnregisterDevice(context.Background(), dev.ID), ErrStale, errStubborn)
			})
		}
	}
	for _, name := range w.Clients() {
		group.Go(func() { w.allow("clear up", w.UnregisterClient(context.Background(), name), errStubborn) })
	}
	group.Wait()
}

// judge wants nothing to be left and no rule to be broken.
func (w *world) judge() {
	if n := len(w.devices.byGeneration) + len(w.devices.byName) + len(w.devices.byIndex) + len(w.clients); n > 0 {
		w.t.Errorf("%d entries are left", n)
	}
	for _, h := range w.handles {
		if n := h.misused.Load(); n > 0 {
			w.t.Errorf("%d accesses after Remove by %s", n, h.label)
		}
		if !h.dropped.Load() {
			w.t.Errorf("a device was never taken from %s", h.label)
		}
	}
	broken := checkEvents(w.events())
	if !w.drains {
		broken = append(broken, check(w.h.records)...)
	}
	for _, v := range broken {
		w.t.Error(v)
	}
	if path := os.Getenv("IBCTL_HISTORY"); path != "" && w.t.Failed() {
		w.t.Log(os.WriteFile(path, []byte(w.h.String()), 0o644))
	}
}
