package sysfs

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// errUnsettled says that a slot changed as often as it was read.
var errUnsettled = errors.New("changes faster than it can be read")

// maxTries is how often a slot that changes is read.
const maxTries = 4

// attributes reads the type and netdev of an entry, and its GID again after
// that: if it changed, they may belong to another one.
func (r *gidReader) attributes(e *rdma.GIDEntry) {
	for range maxTries {
		r.readAttributes(e)
		if r.used.knows(*e) {
			return
		}
		again, err := r.gid(int(e.Index))
		if err != nil {
			r.warn(int(e.Index), "read gids", err)
			return
		}
		if again == e.GID {
			return
		}
		e.GID, e.Type, e.Netdev = again, "", ""
		if again.IsZero() {
			return
		}
	}
	r.warn(int(e.Index), "read gid_attrs", errUnsettled)
}

// knows tells whether a slot is as it was. The next of Known is looked at: slots are
// read in their order.
func (u *Used) knows(e rdma.GIDEntry) bool {
	for len(u.Known) > 0 && u.Known[0].Index < e.Index {
		u.Known = u.Known[1:]
	}
	if len(u.Known) == 0 {
		return false
	}
	k := u.Known[0]
	return k.Index == e.Index && k.GID == e.GID && k.Type == e.Type && k.Netdev == e.Netdev
}

func (r *gidReader) readAttributes(e *rdma.GIDEntry) {
	slot := int(e.Index)
	if text, ok := r.attribute(r.types, slot, "read gid_attrs/types"); ok {
		r.lastType = intern(text, r.lastType)
		e.Type = rdma.GIDType(r.lastType)
	}
	if text, ok := r.attribute(r.ndevs, slot, "read gid_attrs/ndevs"); ok {
		r.lastDev = intern(text, r.lastDev)
		e.Netdev = r.lastDev
	}
}

// attribute reads a file of gid_attrs. EINVAL is the kernel's word for an entry
// that has gone, and for a netdev where there is none (InfiniBand).
func (r *gidReader) attribute(d dir, slot int, op string) ([]byte, bool) {
	if d.fd < 0 {
		return nil, false
	}
	text, err := d.readSlot(slot, r.buf[:])
	switch {
	case err == nil:
		return text, true
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
	default:
		r.warn(slot, op, err)
	}
	return nil, false
}

// intern returns last if it is the same text: a table repeats few of them.
func intern(text []byte, last string) string {
	if string(text) == last {
		return last
	}
	return string(text)
}

// markDefaults tells default GIDs by their index. The kernel reserves as many
// slots as the port has GID types, from the first on (cache.c,
// gid_table_reserve_default), and nothing else ever enters them. There are two
// types at most, so only slot 1 is in question.
func markDefaults(entries []rdma.GIDEntry) {
	types := map[rdma.GIDType]bool{}
	first := false // slot 0 is in use
	for _, e := range entries {
		if e.Type != "" {
			types[e.Type] = true
		}
		first = first || e.Index == 0 && !e.GID.IsZero()
	}
	for i := range entries {
		entries[i].Default = isDefault(entries[i].Index, len(types), first)
	}
}

// isDefault decides on slot 1: with two types it is reserved. With one it is
// not, provided that the other type would have been seen: each address enters
// the table under every type. A table whose slot 0 shows nothing is one of
// which this namespace sees a part.
func isDefault(index uint32, types int, first bool) rdma.Opt[bool] {
	switch {
	case index == 0:
		return rdma.Known(true)
	case index > 1:
		return rdma.Known(false)
	case types >= 2:
		return rdma.Known(true)
	case types == 1 && first:
		return rdma.Known(false)
	}
	return rdma.Opt[bool]{}
}
