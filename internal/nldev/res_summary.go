package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// ResourceCount says how many objects of one kind a device has.
type ResourceCount struct {
	// Kind is the kernel's name: "pd", "cq", "qp", "cm_id", "mr", "ctx", "srq" and
	// what later kernels count besides.
	Kind  string
	Count uint64
	// Max is how many the device can have (Linux 7.3); not every kind has a limit.
	Max rdma.Opt[uint64]
}

// Resources counts the objects of a device (RES_GET) in the kernel's order, the
// kernel's own and those of processes outside this PID namespace included. It
// needs no privilege.
func (c *Conn) Resources(ctx context.Context, index uint32, opts ...ResourceOption) ([]ResourceCount, error) {
	r := request{op: cmdResGet, object: object(index), attrs: byIndex(index)}
	for _, o := range opts {
		o(&r)
	}
	var counts []ResourceCount
	err := c.ask(ctx, r,
		func() { counts = nil },
		func(payload []byte) (err error) {
			counts, err = decodeSummary(payload)
			return err
		})
	return counts, noDevice(err)
}

func decodeSummary(payload []byte) ([]ResourceCount, error) {
	var counts []ResourceCount
	err := eachEntry(payload, attrResSummary, func(entry []byte) error {
		n, err := decodeCount(entry)
		if err == nil {
			counts = append(counts, n)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func decodeCount(entry []byte) (n ResourceCount, err error) {
	var count rdma.Opt[uint64]
	err = eachAttr(entry, func(a attr) error {
		switch a.typ {
		case attrResSummaryName:
			return intoText(&n.Kind, a)
		case attrResSummaryCurr:
			return into(&count, a, attr.u64)
		case attrResSummaryMax:
			return into(&n.Max, a, attr.u64)
		}
		return nil
	})
	var ok bool
	n.Count, ok = count.Get()
	if err == nil && (!ok || n.Kind == "") {
		err = fmt.Errorf("%w: count without name or number", ErrMalformed)
	}
	return n, err
}
