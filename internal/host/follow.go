package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// Registry is what Follow feeds: a [core.Registry].
type Registry interface {
	RegisterDevice(ctx context.Context, info rdma.Device) (core.ID, error)
	UnregisterDevice(ctx context.Context, id core.ID) error
	Rename(ctx context.Context, id core.ID, name string) error
	Update(ctx context.Context, id core.ID, info rdma.Device) error
}

// FollowOptions are the knobs of Follow; the zero value suits most.
type FollowOptions struct {
	// Resync is how often the devices are looked at, hint or no hint: some changes,
	// such as the state of an InfiniBand port, come without an event. A minute if
	// zero. It is a glance at what nldev tells; everything is read anew, which may
	// cost commands to the firmware, where that differs, and every [rereadEvery]
	// times.
	Resync time.Duration
	// Synced is called once, when all devices that were there at the start are
	// registered.
	Synced func()
	// Report is told what went wrong and will be tried again, and what could not
	// be read. It is called by several goroutines at once.
	Report func(error)
}

// Follow keeps a registry like the kernel: it registers the devices that are
// there and those that come, unregisters those that go, and passes on new names
// and facts. It ends with ctx, and returns its cause when all that it started
// has ended; the devices stay registered.
//
// Each device has a goroutine of its own, so one whose clients take long to let
// go of it holds up no other, but for one that comes under the same name.
func (h *Host) Follow(ctx context.Context, reg Registry, opts FollowOptions) error {
	if !h.live {
		return fmt.Errorf("follow %s: a copied tree does not change", h.fs.Root())
	}
	f := newFollower(reg, opts, h.listForFollow, h.readForFollow)
	f.glance = h.glance
	f.sources = []source{h.uevents, h.monitor, h.links}
	return f.run(ctx)
}

// rereadEvery is at how many looks everything is read anew.
const rereadEvery = 5

// key identifies a device for as long as it exists, whatever its name: by the
// kernel's index, or where that is unknown by the instance in sysfs.
type key struct {
	index    rdma.Opt[uint32]
	instance uint64
}

// sighting is a device in a list.
type sighting struct {
	key    key
	device rdma.Device // as far as the list told
}

// follower is one run of Follow.
type follower struct {
	reg  Registry
	opts FollowOptions
	list func(context.Context) ([]sighting, error)
	read func(context.Context, rdma.Device) (rdma.Device, []rdma.Warning, error)
	// glance returns what can be had of a device cheaply; false if that is nothing.
	// Nil stands for a host without.
	glance  func(context.Context, rdma.Device) (rdma.Device, bool)
	sources []source
	looks   int // at the devices, by the clock; it belongs to run

	hints   chan hint
	running sync.WaitGroup // sources and keepers

	mu      sync.Mutex
	keepers map[key]*keeper
	holders map[string]*keeper // by the name under which a device is registered
	freed   chan struct{}      // closed, and replaced, when a name becomes free
}

func newFollower(reg Registry, opts FollowOptions, list func(context.Context) ([]sighting, error),
	read func(context.Context, rdma.Device) (rdma.Device, []rdma.Warning, error),
) *follower {
	if opts.Resync <= 0 {
		opts.Resync = time.Minute
	}
	if opts.Report == nil {
		opts.Report = func(error) {}
	}
	return &follower{
		reg: reg, opts: opts, list: list, read: read,
		hints:   make(chan hint, 64),
		keepers: map[key]*keeper{}, holders: map[string]*keeper{}, freed: make(chan struct{}),
	}
}

func (f *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer f.running.Wait()
	defer cancel()
	for _, s := range f.sources {
		f.running.Go(func() { s(ctx, f.hint, f.opts.Report) })
	}
	ticker := time.NewTicker(f.opts.Resync)
	defer ticker.Stop()
	todo, synced := hints{all: true}, false
	for ctx.Err() == nil {
		err := f.sync(ctx, todo)
		if err == nil && !synced {
			synced = true
			f.whenSettled(ctx, f.opts.Synced)
		}
		todo = f.await(ctx, ticker.C)
		if err != nil {
			f.opts.Report(err)
			todo.all = true
		}
	}
	return context.Cause(ctx)
}

// hint takes a hint. It never blocks for long: f.run takes them as they come.
func (f *follower) hint(ctx context.Context, h hint) {
	select {
	case f.hints <- h:
	case <-ctx.Done():
	}
}

// await returns with all hints that matter and have come by then, at least one of
// them, or the resync.
func (f *follower) await(ctx context.Context, resync <-chan time.Time) (todo hints) {
	for len(todo.some) == 0 {
		select {
		case <-ctx.Done():
			return todo
		case <-resync:
			return f.look()
		case h := <-f.hints:
			f.consider(h, &todo)
		}
	}
	for {
		select {
		case h := <-f.hints:
			f.consider(h, &todo)
		default:
			return todo
		}
	}
}

// look says how closely to look when it is time to.
func (f *follower) look() hints {
	f.looks++
	if f.glance == nil || f.looks%rereadEvery == 0 {
		return hints{all: true}
	}
	return hints{glance: true}
}

// consider adds a hint, unless it is about a netdev that is nobody's: a host with
// containers has many that come and go.
func (f *follower) consider(h hint, todo *hints) {
	if h.netdev.IsKnown() && !f.anyOn(h.netdev) {
		return
	}
	todo.add(h)
}

func (f *follower) anyOn(netdev rdma.Opt[uint32]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.keepers {
		if k.isOn(netdev) {
			return true
		}
	}
	return false
}

// sync lists the devices and tells each keeper what has become of its own.
func (f *follower) sync(ctx context.Context, todo hints) error {
	list, err := f.list(ctx)
	if err != nil && !errors.Is(err, ErrNoRDMA) {
		return err
	}
	if todo.glance {
		f.glanceAt(ctx, list, &todo)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := maps.Clone(f.keepers)
	for _, s := range list {
		delete(gone, s.key)
		k := f.keepers[s.key]
		if k == nil {
			k = f.newKeeper(ctx, s.key)
		}
		k.demand(wanted{present: true, device: s.device, refresh: todo.concern(s.device, k)})
	}
	for _, k := range gone {
		k.demand(wanted{})
	}
	return nil
}

// glanceAt adds a hint for each device that is not what it was when it was read.
func (f *follower) glanceAt(ctx context.Context, list []sighting, todo *hints) {
	for _, s := range list {
		now, ok := f.glance(ctx, s.device)
		f.mu.Lock()
		if k := f.keepers[s.key]; k != nil && (!ok || !reflect.DeepEqual(now, k.glanced)) {
			todo.add(hint{index: s.device.Index, name: s.device.Name})
		}
		f.mu.Unlock()
	}
}

func (f *follower) newKeeper(ctx context.Context, id key) *keeper {
	k := &keeper{f: f, key: id, wake: make(chan struct{}, 1), settled: make(chan struct{})}
	f.keepers[id] = k
	f.running.Go(func() { k.run(ctx) })
	return k
}

// whenSettled calls report when every keeper there is has done its first work.
func (f *follower) whenSettled(ctx context.Context, report func()) {
	if report == nil {
		return
	}
	f.mu.Lock()
	keepers := maps.Clone(f.keepers)
	f.mu.Unlock()
	f.running.Go(func() {
		for _, k := range keepers {
			<-k.settled
		}
		if ctx.Err() == nil {
			report()
		}
	})
}
