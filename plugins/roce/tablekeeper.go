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

// resyncPeriod is how often all is read without being poked.
const resyncPeriod = 30 * time.Second

// usedGap is how many empty slots in a row are taken for the end of the part of a
// table that is in use, while it is hot. The whole is read when it has cooled down.
const usedGap = 8

// settleTries is how often a table is read in which several things have changed and
// that is not twice the same: it is read slot by slot, and may change meanwhile.
const settleTries = 4

// reader reads the table of a port; the whole of it where used is nil.
type reader interface {
	table(ctx context.Context, port uint32, used *sysfs.Used) ([]rdma.GIDEntry, []rdma.Warning, error)
}

// sysfsReader is that of a device's directory.
type sysfsReader struct {
	dev *plugin.Device
	dir *sysfs.Device
}

func (r sysfsReader) table(ctx context.Context, port uint32, used *sysfs.Used) ([]rdma.GIDEntry, []rdma.Warning, error) {
	var t sysfs.GIDTable
	var warnings []rdma.Warning
	var err error
	if used == nil {
		t, warnings, err = r.dir.GIDs(ctx, r.dev.Info().Name, port, false)
	} else {
		t, warnings, err = r.dir.UsedGIDs(ctx, r.dev.Info().Name, port, *used)
	}
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
	based bool                 // all tables have been read once; set by the keeper's goroutine
	over  bool
}

// portTable is what was last told of a port. Its fields are the keeper's goroutine's,
// but for entries, which keeper.mu guards.
type portTable struct {
	number  uint32
	entries []rdma.GIDEntry
	floor   int    // the highest slot in use since the whole was read
	pace    pace   // when it is read again
	trouble string // why it could not be read, as it was told
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
	k.resync(ctx)
	k.base(ctx)
	resync := time.Now().Add(resyncPeriod)
	timer := time.NewTimer(resyncPeriod)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(k.due(resync)))
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
			k.heat()
			continue
		case <-timer.C:
		}
		if !time.Now().Before(resync) {
			k.resync(ctx)
			resync = time.Now().Add(resyncPeriod)
		}
		k.turn(ctx)
	}
}

// due is when something is to be read next, at the latest when all is.
func (k *keeper) due(resync time.Time) time.Time {
	for _, t := range k.ports {
		if due := t.pace.due; !due.IsZero() && due.Before(resync) {
			resync = due
		}
	}
	return resync
}

// heat takes over which ports were poked.
func (k *keeper) heat() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for number := range k.poked {
		k.ports[number].pace.poke(time.Now())
	}
	clear(k.poked)
}

// turn reads the ports that are due. One that has cooled down is read as a whole.
func (k *keeper) turn(ctx context.Context) {
	for _, t := range k.ports {
		now := time.Now()
		if t.pace.due.IsZero() || now.Before(t.pace.due) {
			continue
		}
		if t.pace.read(now); t.pace.due.IsZero() {
			k.readWhole(ctx, t)
		} else {
			k.readUsed(ctx, t)
		}
	}
}

func (k *keeper) resync(ctx context.Context) {
	for _, t := range k.ports {
		k.readWhole(ctx, t)
	}
}

func (k *keeper) readUsed(ctx context.Context, t *portTable) {
	k.read(ctx, t, func() ([]rdma.GIDEntry, []rdma.Warning, error) {
		return k.reader.table(ctx, t.number, &sysfs.Used{Floor: t.floor, Gap: usedGap, Known: t.entries})
	})
}

func (k *keeper) readWhole(ctx context.Context, t *portTable) {
	whole := func() ([]rdma.GIDEntry, []rdma.Warning, error) { return k.reader.table(ctx, t.number, nil) }
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
		if k.based {
			t.pace.changed(time.Now())
		}
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
