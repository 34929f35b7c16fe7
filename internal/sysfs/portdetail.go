package sysfs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// PortDetails is what sysfs has of a port beyond [rdma.Port].
type PortDetails struct {
	// PortGUID is the lower half of the first GID.
	PortGUID rdma.Opt[rdma.GUID]
	// SMSL is the service level of the subnet manager.
	SMSL rdma.Opt[uint32]
	// PKeys are the slots of the partition table that are in use, by index.
	PKeys []PKey
	// PKeyTableSize and GIDTableSize count slots.
	PKeyTableSize, GIDTableSize rdma.Opt[uint32]
}

// PKey is a slot of the partition table.
type PKey struct {
	Index uint32
	// Value has the partition's number in 15 bits, and above them whether the port
	// is a full member.
	Value uint16
}

// PortDetails reads them. The table of partitions is read only if pkeys is set: many
// drivers ask the firmware for each slot. It returns [ErrNoDevice] if there is no
// device of that name, and [ErrVanished] if the port is not there.
func (fs *FS) PortDetails(device string, port uint32, pkeys bool) (PortDetails, []rdma.Warning, error) {
	object := fmt.Sprintf("%s/%d", device, port)
	d, err := fs.openDevice(device)
	if err != nil {
		return PortDetails{}, nil, fmt.Errorf("%s: %w", device, err)
	}
	defer d.close()
	dir, err := d.sub("ports/" + strconv.FormatUint(uint64(port), 10))
	if errors.Is(err, unix.ENOENT) {
		return PortDetails{}, nil, fmt.Errorf("%s: %w", object, ErrVanished)
	}
	if err != nil {
		return PortDetails{}, nil, fmt.Errorf("%s: open port: %w", object, err)
	}
	defer dir.close()
	r := reader{fs: fs, dir: dir, warnings: warnings{object: object}}
	var p PortDetails
	readOpt(&r, &p.SMSL, "sm_sl", parseDecimal)
	p.PortGUID = r.portGUID()
	p.GIDTableSize = r.tableSize("gids")
	p.PKeyTableSize = r.tableSize("pkeys")
	if pkeys {
		p.PKeys = r.pkeys()
	}
	return p, r.list, nil
}

// portGUID reads the lower half of the first GID; of an empty slot there is none.
func (r *reader) portGUID() rdma.Opt[rdma.GUID] {
	text, ok := r.file("gids/0")
	if !ok {
		return rdma.Opt[rdma.GUID]{}
	}
	gid, err := rdma.ParseGID(string(text))
	if err != nil {
		r.add("read gids/0", nonsense(text))
		return rdma.Opt[rdma.GUID]{}
	}
	guid := rdma.GUID(binary.BigEndian.Uint64(gid[8:]))
	if guid == 0 {
		return rdma.Opt[rdma.GUID]{}
	}
	return rdma.Known(guid)
}

// tableSize counts the slots of a table.
func (r *reader) tableSize(name string) rdma.Opt[uint32] {
	slots, ok := r.slots(name)
	if !ok {
		return rdma.Opt[uint32]{}
	}
	return rdma.Known(uint32(len(slots)))
}

// slots lists the numbers of a table's files, ascending.
func (r *reader) slots(name string) ([]uint32, bool) {
	dir, err := r.dir.sub(name)
	if errors.Is(err, unix.ENOENT) {
		return nil, false
	}
	var names []string
	if err == nil {
		defer dir.close()
		names, err = dir.names()
	}
	if err != nil {
		r.add("list "+name, err)
		return nil, false
	}
	var slots []uint32
	for _, n := range names {
		if slot, ok := portNumber(n); ok {
			slots = append(slots, slot)
		}
	}
	slices.SortFunc(slots, func(a, b uint32) int { return cmp.Compare(a, b) })
	return slots, true
}

// pkeys reads the slots in use. One that cannot be read costs itself alone.
func (r *reader) pkeys() []PKey {
	slots, _ := r.slots("pkeys")
	var all []PKey
	for _, slot := range slots {
		var v rdma.Opt[uint32]
		readOpt(r, &v, "pkeys/"+strconv.FormatUint(uint64(slot), 10), parseHex)
		switch value, ok := v.Get(); {
		case !ok || value == 0:
		case value > 0xffff:
			r.add("read pkeys/"+strconv.FormatUint(uint64(slot), 10), fmt.Errorf("%#x is no partition key", value))
		default:
			all = append(all, PKey{slot, uint16(value)})
		}
	}
	return all
}
