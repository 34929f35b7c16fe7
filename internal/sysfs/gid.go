package sysfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// GIDTable is a port's GID table, read slot by slot: the kernel gives no
// snapshot of the whole.
type GIDTable struct {
	// Slots is the size of the table.
	Slots int
	// Entries are the slots in use, by index; all of them if asked for.
	Entries []rdma.GIDEntry
}

// GIDs reads the GID table of a port of the device that has the name now; see
// [Device.GIDs].
func (fs *FS) GIDs(ctx context.Context, device string, port uint32, empty bool) (GIDTable, []rdma.Warning, error) {
	d, err := fs.OpenDevice(device)
	if err != nil {
		return GIDTable{}, nil, err
	}
	defer d.Close()
	return d.GIDs(ctx, device, port, empty)
}

// GIDs reads the GID table of a port, with the type and the netdev of each
// entry, and marks the default GIDs. Empty slots are left out unless empty is
// set. An entry that changes while it is read is read again, so GID, type and
// netdev belong together. The results speak of the device by the name given.
//
// It returns [ErrNoPort], [ErrVanished] if the device went away, or the error of
// ctx. What else cannot be read is a warning, whose object is the slot.
func (d *Device) GIDs(ctx context.Context, name string, port uint32, empty bool) (GIDTable, []rdma.Warning, error) {
	r, err := d.openGIDs(name, port)
	if err != nil {
		return GIDTable{}, nil, err
	}
	defer r.close()
	r.empty = empty
	return r.read(ctx)
}

// Used is which part of a table is to be read, and what it was like.
type Used struct {
	// Gap is how many empty slots in a row above the slot Floor end it.
	Floor, Gap int
	// Known are entries read before, by index. Of a slot that shows nothing else the
	// GID is not read a second time: it is as it was.
	Known []rdma.GIDEntry
}

// UsedGIDs is GIDs, except that it reads a part, and Slots is what was read. The kernel
// puts a GID into the lowest slot that is free, so what lies behind is empty, but for
// slots that were in use until a moment ago: from time to time the whole table should be
// read.
func (d *Device) UsedGIDs(ctx context.Context, name string, port uint32, used Used) (GIDTable, []rdma.Warning, error) {
	r, err := d.openGIDs(name, port)
	if err != nil {
		return GIDTable{}, nil, err
	}
	defer r.close()
	r.used = used
	return r.read(ctx)
}

// SameGIDs tells whether the slots of a table that was read as a whole hold the GIDs
// that they held then. It reads nothing else of them, a quarter of what GIDs does: the
// type or the netdev of a GID that is where it was may be another.
func (d *Device) SameGIDs(ctx context.Context, port uint32, table GIDTable) (bool, error) {
	r, err := d.openGIDs("port", port)
	if err != nil {
		return false, err
	}
	defer r.close()
	same, known := true, table.Entries
	err = r.eachSlot(ctx, func(slot int) (bool, error) {
		gid, err := r.gid(slot)
		if errors.Is(err, unix.ENOENT) && !r.gids.confined {
			same = slot == table.Slots
			return false, nil
		}
		var was rdma.GID
		if len(known) > 0 && known[0].Index == uint32(slot) {
			was, known = known[0].GID, known[1:]
		}
		same = err == nil && gid == was
		return same, nil
	})
	return same && err == nil, err
}

func (r *gidReader) read(ctx context.Context) (GIDTable, []rdma.Warning, error) {
	if err := r.eachSlot(ctx, r.slot); err != nil {
		return GIDTable{}, nil, fmt.Errorf("%s: read GIDs: %w", r.object, err)
	}
	markDefaults(r.out.Entries)
	return r.out, r.warnings(), nil
}

// gidReader reads one table. One buffer and two texts serve all its slots.
type gidReader struct {
	device            string
	port              uint32
	object            string // "mlx5_0/1"
	gids              dir
	types, ndevs      dir
	empty             bool
	used              Used // without a gap, all is read
	run               int  // empty slots in a row above the floor
	out               GIDTable
	list              []rdma.Warning
	dropped           int // warnings beyond maxSlotWarnings
	buf               [128]byte
	lastType, lastDev string
}

// maxSlotWarnings is how many slots of a table may complain by themselves; a
// driver that fails for all of them need not say so a thousand times.
const maxSlotWarnings = 8

func (d *Device) openGIDs(name string, port uint32) (*gidReader, error) {
	object := name + "/" + strconv.FormatUint(uint64(port), 10)
	p, err := d.dir.sub("ports/" + strconv.FormatUint(uint64(port), 10))
	switch {
	case errors.Is(err, unix.ENOENT) && !d.dir.exists("ports"):
		return nil, fmt.Errorf("%s: %w", object, ErrVanished)
	case errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("%s: %w", object, ErrNoPort)
	case err != nil:
		return nil, fmt.Errorf("%s: open port: %w", object, err)
	}
	defer p.close()
	r := &gidReader{device: name, port: port, object: object}
	return r, r.open(p)
}

// open opens the three directories of a table. Without gid_attrs, as before
// Linux 4.5, there are GIDs still.
func (r *gidReader) open(port dir) (err error) {
	if r.gids, err = port.sub("gids"); err != nil {
		return fmt.Errorf("%s: open GIDs: %w", r.object, err)
	}
	r.types, r.ndevs = dir{fd: -1}, dir{fd: -1}
	if d, err := port.sub("gid_attrs/types"); err == nil {
		r.types = d
	}
	if d, err := port.sub("gid_attrs/ndevs"); err == nil {
		r.ndevs = d
	}
	return nil
}

func (r *gidReader) close() {
	r.gids.close()
	r.types.close()
	r.ndevs.close()
}

// eachSlot calls do for one slot after the other, until it returns false.
func (r *gidReader) eachSlot(ctx context.Context, do func(slot int) (more bool, err error)) error {
	slots, err := r.slots()
	if err != nil {
		return err
	}
	for i := 0; slots == nil || i < len(slots); i++ {
		if i%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		slot := i
		if slots != nil {
			slot = slots[i]
		}
		if more, err := do(slot); !more || err != nil {
			return err
		}
	}
	return nil
}

// slots lists the slots of a copied table, from which the copier may have left
// some out. The kernel's own has all its slots, and it is faster to read until
// there is no other.
func (r *gidReader) slots() ([]int, error) {
	if !r.gids.confined {
		return nil, nil
	}
	names, err := r.gids.names()
	slots := make([]int, 0, len(names))
	for _, name := range names {
		if n, ok := portNumber(name); ok {
			slots = append(slots, int(n))
		}
	}
	slices.Sort(slots)
	return slots, err
}

// slot reads one slot; more is false when there is none of that number.
func (r *gidReader) slot(i int) (more bool, err error) {
	gid, err := r.gid(i)
	switch {
	case errors.Is(err, unix.ENOENT) && !r.gids.confined:
		return false, r.end()
	case errors.Is(err, unix.ENODEV):
		return false, ErrVanished
	case err != nil:
		r.out.Slots = i + 1
		r.warn(i, "read gids", err)
		return true, nil
	}
	r.out.Slots = i + 1
	e := rdma.GIDEntry{Device: r.device, Port: r.port, Index: uint32(i), GID: gid}
	if !gid.IsZero() {
		r.attributes(&e)
	}
	if r.empty || !e.GID.IsZero() {
		r.out.Entries = append(r.out.Entries, e)
	}
	return !r.endsAt(i, e.Empty()), nil
}

// endsAt tells whether slot i ends the part of the table that is wanted.
func (r *gidReader) endsAt(i int, empty bool) bool {
	switch {
	case r.used.Gap == 0 || i <= r.used.Floor:
		return false
	case !empty:
		r.run = 0
		return false
	}
	r.run++
	return r.run >= r.used.Gap
}

// end tells the end of a table from that of a device: the kernel removes the
// files of a table one by one, the first one first.
func (r *gidReader) end() error {
	if r.out.Slots == 0 || !r.gids.exists("0") {
		return ErrVanished
	}
	return nil
}

func (r *gidReader) gid(slot int) (rdma.GID, error) {
	text, err := r.gids.readSlot(slot, r.buf[:])
	if err != nil {
		return rdma.GID{}, err
	}
	return parseGID(text)
}

func (r *gidReader) warn(slot int, op string, err error) {
	if len(r.list) >= maxSlotWarnings {
		r.dropped++
		return
	}
	r.list = append(r.list, rdma.Warning{Object: fmt.Sprintf("%s/%d", r.object, slot), Op: op, Err: err})
}

func (r *gidReader) warnings() []rdma.Warning {
	if r.dropped == 0 {
		return r.list
	}
	return append(r.list, rdma.Warning{Object: r.object, Op: "read GIDs", Err: fmt.Errorf("%d more warnings of this kind", r.dropped)})
}
