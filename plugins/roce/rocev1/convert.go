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
		out.Gids = append(out.Gids, newGID(e))
	}
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, &Warning{Object: w.Object, Op: w.Op, Error: pluginv1.NewError(w.Err)})
	}
	return out
}

func newGID(e rdma.GIDEntry) *GID {
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
		e, err := g.entry()
		if err != nil {
			return nil, fmt.Errorf("%s/%d/%d: %w", x.GetDevice(), x.GetPort(), g.GetIndex(), err)
		}
		e.Device, e.Port = x.GetDevice(), x.GetPort()
		entries = append(entries, e)
	}
	return entries, nil
}

func (x *GID) entry() (rdma.GIDEntry, error) {
	e := rdma.GIDEntry{Index: x.GetIndex(), Type: rdma.GIDType(x.GetType()), Netdev: x.GetNetdev()}
	if n := len(x.GetGid()); n != len(e.GID) {
		return e, fmt.Errorf("GID of %d octets, want %d", n, len(e.GID))
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
func (x *PortGIDs) RDMAWarnings() []rdma.Warning {
	var list []rdma.Warning
	for _, w := range x.GetWarnings() {
		err := w.GetError().Err()
		if err == nil {
			err = errNoReason
		}
		list = append(list, rdma.Warning{Object: w.GetObject(), Op: w.GetOp(), Err: err})
	}
	return list
}
