package counters

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

// QPSet is a set of counters that one or several queue pairs have to themselves.
type QPSet struct {
	Device      string           `json:"device"`
	DeviceIndex rdma.Opt[uint32] `json:"device_index,omitzero"`
	Port        rdma.Opt[uint32] `json:"port,omitzero"`
	ID          uint32           `json:"cntn"`
	// Mode says who made it: auto or manual.
	Mode string `json:"mode,omitzero"`
	// Type, PID and Comm are what the queue pairs have in common. PID is the number
	// of the thread that made the first, and Comm its name or that of a module.
	Type string           `json:"qp_type,omitzero"`
	PID  rdma.Opt[uint32] `json:"pid,omitzero"`
	Comm string           `json:"comm,omitzero"`
	// QPs are the numbers of those that are bound to it now.
	QPs      []uint32  `json:"lqpn"`
	Counters []Counter `json:"counters"`
}

// QPs lists the sets of counters that queue pairs of a device have. A driver
// that cannot give any has none.
func (r *Reader) QPs(ctx context.Context, d rdma.Device) ([]QPSet, []rdma.Warning, error) {
	index, err := r.index(d)
	if err != nil {
		return nil, nil, err
	}
	list, err := r.nl.QPCounters(ctx, index)
	var sets []QPSet
	for _, c := range list {
		sets = append(sets, newQPSet(d, c))
	}
	return listed(ctx, d, "list queue pair counters", sets, err)
}

// listed decides what is made of a list, and of the error that it ended with: what
// the driver has not is no error, and what came before a failure is kept.
func listed[T any](ctx context.Context, d rdma.Device, op string, list []T, err error) ([]T, []rdma.Warning, error) {
	switch {
	case err == nil, errors.Is(err, ErrNone):
		return list, nil, nil
	case errors.Is(err, nldev.ErrNoDevice):
		return nil, nil, gone(d, err)
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	}
	return list, []rdma.Warning{{Object: d.Name, Op: op, Err: err}}, nil
}

func newQPSet(d rdma.Device, c nldev.QPCounter) QPSet {
	set := QPSet{
		Device: d.Name, DeviceIndex: d.Index, Port: c.Port, ID: c.ID, PID: c.Owner.PID, Comm: c.Owner.Kernel,
		QPs: append([]uint32{}, c.QPs...), Counters: []Counter{},
	}
	if mode, ok := c.Mode.Get(); ok {
		set.Mode = mode.String()
	}
	if tid, ok := c.Owner.PID.Get(); ok {
		set.Comm, _ = procfs.Live().ThreadName(int(tid), int(tid)) // one that has ended has none
	}
	if t, ok := c.Type.Get(); ok {
		set.Type = t.String()
	}
	for _, counter := range c.Counters {
		set.Counters = append(set.Counters, newCounter(d, c.Port, counter.Name, counter.Value, Netlink))
	}
	return set
}
