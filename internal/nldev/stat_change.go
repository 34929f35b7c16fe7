package nldev

import (
	"context"
	"slices"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// The methods in this file change counters and need CAP_NET_ADMIN.

// SetOptionalCounters switches on the optional counters of a port that have one
// of those indices, and all others off (STAT_SET, Linux 5.16).
func (c *Conn) SetOptionalCounters(ctx context.Context, index, port uint32, counters []uint32) error {
	table := nl.NewRtAttr(attrStatHWCounters|nlaNested, nil)
	for _, n := range slices.Sorted(slices.Values(counters)) {
		table.AddRtAttr(attrStatHWIndex, nl.Uint32Attr(n))
	}
	return c.changeCounters(ctx, cmdStatSet, index, port, table)
}

// nlaNested is NLA_F_NESTED, which the kernel wants of what holds attributes.
const nlaNested = 1 << 15

// SetAutoCounters has the kernel give counters to the queue pairs that are made
// from now on (STAT_SET, Linux 5.3): to those of one type, of one process, or of
// both together. With neither, they get none. The kernel refuses with EBUSY
// while a port's counters are bound by hand.
func (c *Conn) SetAutoCounters(ctx context.Context, index, port uint32, byType, byPID bool) error {
	mask := uint32(0)
	if byType {
		mask |= counterMaskType
	}
	if byPID {
		mask |= counterMaskPID
	}
	return c.changeCounters(ctx, cmdStatSet, index, port, ofQPs(),
		nl.NewRtAttr(attrStatMode, nl.Uint32Attr(uint32(CountersAuto))),
		nl.NewRtAttr(attrStatAutoMask, nl.Uint32Attr(mask)))
}

// BindCounter gives a queue pair a counter set of its own, or one that there is,
// and returns its id (STAT_SET, Linux 5.3). The id is unknown if the kernel does
// not tell it.
func (c *Conn) BindCounter(ctx context.Context, index, port, qpn uint32, counter rdma.Opt[uint32]) (id rdma.Opt[uint32], err error) {
	attrs := append(byPort(index, port), ofQPs(),
		nl.NewRtAttr(attrStatMode, nl.Uint32Attr(uint32(CountersManual))),
		nl.NewRtAttr(attrResLQPN, nl.Uint32Attr(qpn)))
	if n, ok := counter.Get(); ok {
		attrs = append(attrs, nl.NewRtAttr(attrStatCounterID, nl.Uint32Attr(n)))
	}
	r := request{op: cmdStatSet, ack: true, object: portObject(index, port), attrs: attrs}
	err = c.ask(ctx, r, func() { id = rdma.Opt[uint32]{} }, func(payload []byte) error {
		return eachAttr(payload, func(a attr) error {
			if a.typ != attrStatCounterID {
				return nil
			}
			return into(&id, a, attr.u32)
		})
	})
	return id, err
}

// UnbindCounter takes a queue pair off a counter set (STAT_DEL, Linux 5.3). The
// set goes with its last queue pair.
func (c *Conn) UnbindCounter(ctx context.Context, index, port, qpn, counter uint32) error {
	return c.changeCounters(ctx, cmdStatDel, index, port, ofQPs(),
		nl.NewRtAttr(attrStatCounterID, nl.Uint32Attr(counter)),
		nl.NewRtAttr(attrResLQPN, nl.Uint32Attr(qpn)))
}

func (c *Conn) changeCounters(ctx context.Context, op uint16, index, port uint32, more ...*nl.RtAttr) error {
	return c.change(ctx, request{op: op, object: portObject(index, port), attrs: append(byPort(index, port), more...)})
}
