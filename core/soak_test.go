package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// The random tests let many callers do what they please with a few names, and
// hold what was recorded against the rules.
//
// IBCTL_SEED=N repeats one run. IBCTL_SOAK=10m goes on with new seeds for that
// long.

// TestRandomScheduled runs in a bubble in which every attempt to take a lock is
// a random delay, so that the seed decides who comes first, down to the single
// critical section.
func TestRandomScheduled(t *testing.T) {
	forSeeds(t, 60, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			dice := newDice(seed)
			clientsMu, devicesMu := newBubbleLock(), newBubbleLock()
			delay := func() {
				if dice.oneIn(2) {
					time.Sleep(time.Duration(dice.n(1000)))
				}
			}
			clientsMu.before, devicesMu.before = delay, delay
			r := newRegistry(soakOptions, clientsMu, devicesMu)
			newWorld(t, r, dice, func() { time.Sleep(time.Duration(dice.n(100_000))) }).run(6, 40)
		})
	})
}

// TestRandomParallel runs on the machine's own schedule, with real mutexes.
func TestRandomParallel(t *testing.T) {
	forSeeds(t, 15, func(t *testing.T, seed uint64) {
		dice := newDice(seed)
		newWorld(t, NewRegistry(soakOptions), dice, func() {
			if dice.oneIn(4) {
				runtime.Gosched()
			}
		}).run(8, 100)
	})
}

var soakOptions = Options{EventLog: 1 << 17, Parallel: 3}

// forSeeds runs a test for some seeds, or for as long as the environment says.
func forSeeds(t *testing.T, n int, test func(*testing.T, uint64)) {
	if text := os.Getenv("IBCTL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		test(t, seed)
		return
	}
	var soak time.Duration
	if text := os.Getenv("IBCTL_SOAK"); text != "" {
		var err error
		soak, err = time.ParseDuration(text)
		must(t, err)
	}
	for begin := time.Now(); n > 0 || time.Since(begin) < soak; n-- {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("IBCTL_SEED=%d", seed), func(t *testing.T) { test(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// dice is a random source for many goroutines.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{rng: rand.New(rand.NewPCG(seed, 0))} }

func (d *dice) n(limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(limit)
}

func (d *dice) oneIn(n int) bool { return d.n(n) == 0 }

func pick[T any](d *dice, list []T) (item T, ok bool) {
	if len(list) == 0 {
		return item, false
	}
	return list[d.n(len(list))], true
}

// world is what the callers share.
type world struct {
	*witness
	t     *testing.T
	dice  *dice
	dally func() // lets time pass

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
	_, err := w.RegisterDevice(ctx, info)
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
	w.allow("acquire", err, ErrLeaving, ErrStale, ErrNotRegistered)
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

// clearUp takes everything off, by several callers at once.
func (w *world) clearUp() {
	var group sync.WaitGroup
	for _, dev := range w.Devices() {
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
	for _, v := range append(check(w.h.records), checkEvents(w.events())...) {
		w.t.Error(v)
	}
	if path := os.Getenv("IBCTL_HISTORY"); path != "" && w.t.Failed() {
		w.t.Log(os.WriteFile(path, []byte(w.h.String()), 0o644))
	}
}
