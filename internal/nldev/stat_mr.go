package nldev

import (
	"context"
	"errors"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// MRCounters is what is counted of one memory region; nothing, for most.
type MRCounters struct {
	// MRN is unique among the device's regions.
	MRN      rdma.Opt[uint32]
	Counters []Counter
}

// MRCounters lists the memory regions of a device with their counters (STAT_GET,
// Linux 5.9): mlx5 counts the page faults of those that are paged on demand. It
// needs no privilege, and shows those of the asker's PID namespace.
func (c *Conn) MRCounters(ctx context.Context, index uint32) ([]MRCounters, error) {
	all, err := list(ctx, c, table{cmdStatGet, attrResMR}, index, []ResourceOption{ofMRs}, decode[MRCounters])
	return all, c.noCounters(ctx, index, err)
}

// ofMRs says that a request is about the counters of memory regions.
func ofMRs(r *request) {
	r.attrs = append(r.attrs, nl.NewRtAttr(attrStatRes, nl.Uint32Attr(attrResMR)))
}

func (m *MRCounters) set(a attr) error {
	switch a.typ {
	case attrResMRN:
		return into(&m.MRN, a, attr.u32)
	case attrStatHWCounters:
		return addCounters(&m.Counters, a)
	}
	return nil
}

// addCounters takes a table of counters. One that makes no sense hides no other.
func addCounters(all *[]Counter, table attr) error {
	var bad error
	add := intoCounters(all)
	err := eachAttr(table.data, func(entry attr) error {
		bad = errors.Join(bad, add(entry.data))
		return nil
	})
	return errors.Join(err, bad)
}
