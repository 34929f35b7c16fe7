package counters

import (
	"context"

	"github.com/ibctl/ibctl/core/rdma"
)

// MRSet is what is counted of one memory region.
type MRSet struct {
	Device      string           `json:"device"`
	DeviceIndex rdma.Opt[uint32] `json:"device_index,omitzero"`
	// MRN is the kernel's number of the region.
	MRN rdma.Opt[uint32] `json:"mrn,omitzero"`
	// Counters is empty for regions that the driver counts nothing of.
	Counters []Counter `json:"counters"`
}

// MRs lists the memory regions of a device with what is counted of them. A kernel
// that has no such list has none to tell of.
func (r *Reader) MRs(ctx context.Context, d rdma.Device) ([]MRSet, []rdma.Warning, error) {
	index, err := r.index(d)
	if err != nil {
		return nil, nil, err
	}
	list, err := r.nl.MRCounters(ctx, index)
	var sets []MRSet
	for _, m := range list {
		set := MRSet{Device: d.Name, DeviceIndex: d.Index, MRN: m.MRN, Counters: []Counter{}}
		for _, c := range m.Counters {
			set.Counters = append(set.Counters, newCounter(d, rdma.Opt[uint32]{}, c.Name, c.Value, Netlink))
		}
		sets = append(sets, set)
	}
	return listed(ctx, d, "list memory region counters", sets, err)
}
