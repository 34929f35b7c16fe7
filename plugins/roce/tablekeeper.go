package roce

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// How often a table is read. The kernel changes tables some time after the event
// that makes it do so: it works through a queue, which a script can fill faster than
// it empties. So a port that is poked is read again and again until nothing has
// happened for a while. What a table was like for 200 ms is seen.
const (
	// pokeDelay lets events come together that belong together.
	pokeDelay = 10 * time.Millisecond
	// hotPeriod is how often a port is read that was poked, or has changed, within
	// hotTime; warmPeriod goes on until warmTime.
	hotPeriod, hotTime   = 100 * time.Millisecond, 2 * time.Second
	warmPeriod, warmTime = 300 * time.Millisecond, 5 * time.Second
	// resyncPeriod is how often all is read without being poked.
	resyncPeriod = 30 * time.Second
)

// usedGap is how many empty slots in a row are taken for the end of the part of a
// table that is in use, while it is hot. The whole is read when it has cooled down.
const usedGap = 8

// settleTries is how often a table is read in which several things have changed and
// that is not twice the same: it is read slot by slot, and may change meanwhile.
const settleTries = 4

// reader reads the table of a port; the whole of it, or with a gap the used part
// above floor.
type reader interface {
	table(ctx context.Context, port uint32, floor, gap int) ([]rdma.GIDEntry, []rdma.Warning, error)
}

// sysfsReader is that of a device's directory.
type sysfsReader struct {
	dev *plugin.Device
	dir *sysfs.Device
}

func (r sysfsReader) table(ctx context.Context, port uint32, floor, gap int) ([]rdma.GIDEntry, []rdma.Warning, error) {
	read := r.dir.GIDs
	if gap > 0 {
		read = func(ctx context.Context, name string, port uint32, _ bool) (sysfs.GIDTable, []rdma.Warning, error) {
			return r.dir.UsedGIDs(ctx, name, port, floor, gap)
		}
	}
	t, warnings, err := read(ctx, r.dev.Info().Name, port, false)
	return t.Entries, warnings, err
}

// keeper follows the tables of one device while somebody watches. It is the queue of
// the device's own work: Remove ends it and waits for it, and for nobody else's.
type keeper struct {
	info   func() rdma.Device
	reader reader
	wake   chan struct{} // holds one token while something is poked
	done   chan struct{} // closed when it reads no more

	mu    sync.Mutex
	poked map[uint32]bool
	ports map[uint32]*portTable
	subs  map[*subscriber]bool // with whether it has come before the device
	based bool                 // all tables have been read once
	over  bool
}

// portTable is what was last told of a port. Its fields are the keeper's goroutine's,
// but for entries, which keeper.mu guards.
type portTable struct {
	number  uint32
	entries []rdma.GIDEntry
	floor   int       // the highest slot in use since the whole was read
	heated  time.Time // when it was poked, or seen to change; zero: it is cold
	trouble string    // why it could not be read, as it was told
}

func newKeeper(info func() rdma.Device, r reader) *keeper {
	k := &keeper{
		info: info, reader: r, wake: make(chan struct{}, 1), done: make(chan struct{}),
		poked: map[uint32]bool{}, ports: map[uint32]*portTable{}, subs: map[*subscriber]bool{},
	}
	for _, p := range info().Ports {
		k.ports[p.Number] = &portTable{number: p.Number}
	}
	return k
}

// poke has the ports read soon that concerned tells of.
func (k *keeper) poke(concerned concern) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.info().Ports {
		if t := k.ports[p.Number]; t != nil && !k.poked[p.Number] && concerned(p, t.entries) {
			k.poked[p.Number] = true
		}
	}
	if len(k.poked) == 0 {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run reads until ctx ends. Then nobody reads any more, and those who watch are told
// that the GIDs are gone if the device is.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	defer k.end(ctx)
	for _, t := range k.ports {
		k.readWhole(ctx, t)
	}
	k.base(ctx)
	resync, last := time.Now().Add(resyncPeriod), time.Now()
	timer := time.NewTimer(resyncPeriod)
	defer timer.Stop()
	due := resync
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
			k.heat()
			if soon := latest(time.Now().Add(pokeDelay), last.Add(hotPeriod)); soon.Before(due) {
				due = soon
				timer.Reset(time.Until(due))
			}
			continue
		case <-timer.C:
		}
		if !time.Now().Before(resync) {
			k.resync(ctx)
			resync = time.Now().Add(resyncPeriod)
		}
		last = time.Now()
		due = resync
		if period, hot := k.turn(ctx); hot {
			due = earliest(time.Now().Add(period), resync)
		}
		timer.Reset(time.Until(due))
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// heat marks the ports that were poked.
func (k *keeper) heat() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for number := range k.poked {
		k.ports[number].heated = time.Now()
	}
	clear(k.poked)
}

// turn reads the ports that are not cold, and returns how soon to do so again. One
// that has cooled down is read as a whole.
func (k *keeper) turn(ctx context.Context) (period time.Duration, hot bool) {
	period = warmPeriod
	for _, t := range k.ports {
		switch age := time.Since(t.heated); {
		case t.heated.IsZero():
			continue
		case age > warmTime:
			t.heated = time.Time{}
			k.readWhole(ctx, t)
		default:
			k.readUsed(ctx, t)
		}
		if !t.heated.IsZero() {
			hot = true
			if time.Since(t.heated) <= hotTime {
				period = hotPeriod
			}
		}
	}
	return period, hot
}

func (k *keeper) resync(ctx context.Context) {
	for _, t := range k.ports {
		k.readWhole(ctx, t)
	}
}

func (k *keeper) readUsed(ctx context.Context, t *portTable) {
	k.read(ctx, t, func() ([]rdma.GIDEntry, []rdma.Warning, error) {
		return k.reader.table(ctx, t.number, t.floor, usedGap)
	})
}

func (k *keeper) readWhole(ctx context.Context, t *portTable) {
	whole := func() ([]rdma.GIDEntry, []rdma.Warning, error) { return k.reader.table(ctx, t.number, 0, 0) }
	if k.read(ctx, t, whole) {
		t.floor = 0
		t.raise(t.entries)
	}
}

func (t *portTable) raise(entries []rdma.GIDEntry) {
	if n := len(entries); n > 0 {
		t.floor = max(t.floor, int(entries[n-1].Index))
	}
}

// read reads a table, until it is at rest if there is more than one change in it, and
// tells what is new. It is not ok where it can't be read.
func (k *keeper) read(ctx context.Context, t *portTable, once func() ([]rdma.GIDEntry, []rdma.Warning, error)) (ok bool) {
	before := t.entries
	for range settleTries {
		entries, warnings, err := once()
		if ctx.Err() != nil || errors.Is(err, sysfs.ErrVanished) {
			return false // it is about to be removed
		}
		k.troubled(t, warnings, err)
		if err != nil {
			return false
		}
		t.raise(entries)
		settled := sameTable(entries, before) || len(difference(t.entries, entries)) <= 1
		before = entries
		if settled && len(warnings) == 0 {
			break
		}
	}
	if !sameTable(before, t.entries) {
		t.heated = time.Now()
		k.tell(t, before)
	}
	return true
}

// troubled tells of a table, or a slot, that can't be read, once as long as it is the
// same trouble: what happens to it is not seen.
func (k *keeper) troubled(t *portTable, warnings []rdma.Warning, err error) {
	text := ""
	switch {
	case err != nil:
		text = err.Error()
	case len(warnings) > 0:
		text = warnings[0].Error()
	}
	if text != "" && text != t.trouble {
		k.mu.Lock()
		k.miss(t.number, "can't be read: "+text)
		k.mu.Unlock()
	}
	t.trouble = text
}

// miss tells that something may have been missed. mu is held.
func (k *keeper) miss(port uint32, text string) {
	name := k.info().Name
	for s := range k.subs {
		if s.wants(name, port) {
			s.miss(name, port, text)
		}
	}
}

// end is called when nothing is read any more. A device that leaves takes its GIDs
// along.
func (k *keeper) end(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	for s, before := range k.subs {
		if k.based && errors.Is(context.Cause(ctx), plugin.ErrLeaving) {
			k.tellAll(s, kindRemoved, "the device was removed")
		}
		if !k.based && !before {
			s.arrived()
		}
	}
}
