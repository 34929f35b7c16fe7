package rocev1

import (
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// NewPortGIDs writes the table of one port down. All entries are of that port.
func NewPortGIDs(device string, port uint32, entries []rdma.GIDEntry, warnings []rdma.Warning) *PortGIDs {
	out := &PortGIDs{Device: device, Port: port}
	for _, e := range entries {
		out.Gids = append(out.Gids, NewGID(e))
	}
	out.Warnings = NewWarnings(warnings)
	return out
}

// NewWarnings writes warnings down.
func NewWarnings(list []rdma.Warning) []*Warning {
	var out []*Warning
	for _, w := range list {
		out = append(out, &Warning{Object: w.Object, Op: w.Op, Error: pluginv1.NewError(w.Err)})
	}
	return out
}

// NewGID writes one slot down.
func NewGID(e rdma.GIDEntry) *GID {
	out := &GID{Index: e.Index, Gid: e.GID[:], Type: string(e.Type), Netdev: e.Netdev}
	if v, ok := e.Default.Get(); ok {
		out.Default = &v
	}
	return out
}

// Entries reads the table's slots.
func (x *PortGIDs) Entries() ([]rdma.GIDEntry, error) {
	entries := make([]rdma.GIDEntry, 0, len(x.GetGids()))
	for _, g := range x.GetGids() {
		e, err := g.Entry(x.GetDevice(), x.GetPort())
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Entry reads one slot of a port.
func (x *GID) Entry(device string, port uint32) (rdma.GIDEntry, error) {
	e := rdma.GIDEntry{Device: device, Port: port, Index: x.GetIndex(), Type: rdma.GIDType(x.GetType()), Netdev: x.GetNetdev()}
	if n := len(x.GetGid()); n != len(e.GID) {
		return e, fmt.Errorf("%s/%d/%d: GID of %d octets, want %d", device, port, e.Index, n, len(e.GID))
	}
	copy(e.GID[:], x.GetGid())
	if x.Default != nil {
		e.Default = rdma.Known(x.GetDefault())
	}
	return e, nil
}

// errNoReason stands in where a warning came without its error.
var errNoReason = errors.New("no reason given")

// RDMAWarnings reads the table's warnings. errors.Is finds their errnos.
func (x *PortGIDs) RDMAWarnings() []rdma.Warning { return RDMAWarnings(x.GetWarnings()) }

// RDMAWarnings reads warnings. errors.Is finds their errnos.
func RDMAWarnings(warnings []*Warning) []rdma.Warning {
	var list []rdma.Warning
	for _, w := range warnings {
		err := w.GetError().Err()
		if err == nil {
			err = errNoReason
		}
		list = append(list, rdma.Warning{Object: w.GetObject(), Op: w.GetOp(), Err: err})
	}
	return list
}
