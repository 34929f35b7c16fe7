package nldev

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// CounterMode says how queue pairs get counters of their own (enum
// rdma_nl_counter_mode).
type CounterMode uint32

const (
	// CountersNone: nobody has asked for any.
	CountersNone CounterMode = 0
	// CountersAuto: the kernel gives one to each queue pair that is made.
	CountersAuto CounterMode = 1
	// CountersManual: somebody has bound them by hand.
	CountersManual CounterMode = 2
)

// String returns the word for it: "none", "auto", "manual".
func (m CounterMode) String() string {
	names := [...]string{"none", "auto", "manual"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint32(m))
}

// AutoCounters says how a port's queue pairs share counters.
type AutoCounters struct {
	Mode CounterMode
	// ByType and ByPID: queue pairs of one type, or of one process, share one.
	ByType, ByPID bool
	// Optional tells whether they count optional events too (Linux 6.15).
	Optional rdma.Opt[bool]
}

// AutoCounters reads how a port's queue pairs get counters of their own
// (STAT_GET, Linux 5.3). It needs no privilege. A driver that has none to give
// may say so only when it is asked for one.
func (c *Conn) AutoCounters(ctx context.Context, index, port uint32) (AutoCounters, error) {
	var m AutoCounters
	r := request{op: cmdStatGet, object: portObject(index, port), attrs: append(byPort(index, port), ofQPs(),
		nl.NewRtAttr(attrStatMode, nl.Uint32Attr(0)))}
	err := c.ask(ctx, r, func() { m = AutoCounters{} }, func(payload []byte) (err error) {
		m, err = decodeAutoCounters(payload)
		return err
	})
	return m, c.noCounters(ctx, index, err)
}

// ofQPs says that a request is about the counters of queue pairs.
func ofQPs() *nl.RtAttr { return nl.NewRtAttr(attrStatRes, nl.Uint32Attr(attrResQP)) }

func decodeAutoCounters(payload []byte) (AutoCounters, error) {
	var m AutoCounters
	var mode, mask rdma.Opt[uint32]
	err := eachAttr(payload, func(a attr) error {
		switch a.typ {
		case attrStatMode:
			return into(&mode, a, attr.u32)
		case attrStatAutoMask:
			return into(&mask, a, attr.u32)
		case attrStatOptional:
			return into(&m.Optional, a, attr.flag)
		}
		return nil
	})
	if err != nil {
		return AutoCounters{}, err
	}
	if !mode.IsKnown() {
		return AutoCounters{}, fmt.Errorf("%w: no counter mode", ErrMalformed)
	}
	m.Mode = CounterMode(mode.Or(0))
	m.ByType, m.ByPID = mask.Or(0)&counterMaskType != 0, mask.Or(0)&counterMaskPID != 0
	return m, nil
}

// QPCounter is a counter set that one or several queue pairs have to themselves.
type QPCounter struct {
	ID   uint32
	Port rdma.Opt[uint32]
	Mode rdma.Opt[CounterMode]
	// Type and Owner are what the queue pairs have in common, if it was they by
	// which the kernel put them together.
	Type  rdma.Opt[QPType]
	Owner Owner
	// QPs are the numbers of those that are bound to it now.
	QPs      []uint32
	Counters []Counter
}

// QPCounters lists the counter sets of a device's queue pairs (STAT_GET, Linux
// 5.3). It needs no privilege, and shows those of the asker's PID namespace.
func (c *Conn) QPCounters(ctx context.Context, index uint32) ([]QPCounter, error) {
	var all []QPCounter
	r := request{op: cmdStatGet, dump: true, object: object(index), attrs: append(byIndex(index), ofQPs())}
	err := c.ask(ctx, r, func() { all = nil }, func(payload []byte) error {
		return eachEntry(payload, attrStatCounter, func(entry []byte) error {
			q, err := decodeQPCounter(entry)
			if err == nil {
				all = append(all, q)
			}
			return err
		})
	})
	return all, c.noCounters(ctx, index, err)
}

func decodeQPCounter(entry []byte) (QPCounter, error) {
	var q qpCounterMessage
	err := eachAttr(entry, q.set)
	if err == nil && !q.id.IsKnown() {
		err = fmt.Errorf("%w: counter without id", ErrMalformed)
	}
	if err != nil {
		return QPCounter{}, err
	}
	q.ID = q.id.Or(0)
	return q.QPCounter, nil
}

// qpCounterMessage is a counter set whose id has perhaps not been seen yet.
type qpCounterMessage struct {
	QPCounter
	id rdma.Opt[uint32]
}

func (q *qpCounterMessage) set(a attr) error {
	switch a.typ {
	case attrStatCounterID:
		return into(&q.id, a, attr.u32)
	case attrPortIndex:
		return into(&q.Port, a, attr.u32)
	case attrStatMode:
		return into(&q.Mode, a, attr.counterMode)
	case attrResType:
		return into(&q.Type, a, attr.qpType)
	case attrResQP:
		return eachAttr(a.data, q.addQP)
	case attrStatHWCounters:
		return addCounters(&q.Counters, a)
	}
	return q.Owner.set(a)
}

func (q *qpCounterMessage) addQP(entry attr) error {
	if entry.typ != attrResQPEntry {
		return fmt.Errorf("%w: attribute %d in a list of queue pairs", ErrMalformed, entry.typ)
	}
	var number rdma.Opt[uint32]
	err := eachAttr(entry.data, func(a attr) error {
		if a.typ != attrResLQPN {
			return nil
		}
		return into(&number, a, attr.u32)
	})
	if n, ok := number.Get(); ok {
		q.QPs = append(q.QPs, n)
	}
	return err
}

func (a attr) counterMode() (CounterMode, error) { v, err := a.u32(); return CounterMode(v), err }
