package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// ResourceCounts says how many objects of each kind a device has. The keys are
// the kernel's: "pd", "cq", "qp", "cm_id", "mr", "ctx", "srq" and what later
// kernels count besides.
type ResourceCounts map[string]uint64

// Resources counts the objects of a device (RES_GET), the kernel's own and those
// of processes outside this PID namespace included. It needs no privilege.
func (c *Conn) Resources(ctx context.Context, index uint32) (ResourceCounts, error) {
	var counts ResourceCounts
	err := c.ask(ctx, request{op: cmdResGet, object: object(index), attrs: byIndex(index)},
		func() { counts = nil },
		func(payload []byte) (err error) {
			counts, err = decodeSummary(payload)
			return err
		})
	return counts, noDevice(err)
}

func decodeSummary(payload []byte) (ResourceCounts, error) {
	counts := ResourceCounts{}
	err := eachEntry(payload, attrResSummary, func(entry []byte) error {
		name, n, err := decodeCount(entry)
		if err == nil {
			counts[name] = n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func decodeCount(entry []byte) (name string, n uint64, err error) {
	var count rdma.Opt[uint64]
	err = eachAttr(entry, func(a attr) error {
		switch a.typ {
		case attrResSummaryName:
			return intoText(&name, a)
		case attrResSummaryCurr:
			return into(&count, a, attr.u64)
		}
		return nil
	})
	n, ok := count.Get()
	if err == nil && (!ok || name == "") {
		err = fmt.Errorf("%w: count without name or number", ErrMalformed)
	}
	return name, n, err
}
