package nldev

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ErrNoCounters says that a driver keeps no counters of that kind.
var ErrNoCounters = errors.New("the driver keeps no such counters")

// Counter is one of a driver's counters; what it counts is the driver's to say
// (struct rdma_stat_desc in include/rdma/ib_verbs.h). Most drivers keep it from
// when the device was registered, and some for a few milliseconds before they
// ask their hardware anew.
type Counter struct {
	Name  string
	Value uint64
}

// Counters reads the counters of a port (STAT_GET, Linux 5.3), in the driver's
// order, what queue pairs with counters of their own have counted included. It
// needs no privilege. Optional counters that are off are left out. A driver that
// keeps none is [ErrNoCounters].
func (c *Conn) Counters(ctx context.Context, index, port uint32) ([]Counter, error) {
	var all []Counter
	r := request{op: cmdStatGet, object: portObject(index, port), attrs: byPort(index, port)}
	err := c.ask(ctx, r, func() { all = nil }, func(payload []byte) error {
		return eachEntry(payload, attrStatHWCounters, intoCounters(&all))
	})
	return all, c.noCounters(ctx, index, err)
}

// intoCounters returns what appends a counter, entry by entry.
func intoCounters(all *[]Counter) func(entry []byte) error {
	return func(entry []byte) error {
		counter, err := decodeCounter(entry)
		if err == nil {
			*all = append(*all, counter)
		}
		return err
	}
}

func decodeCounter(entry []byte) (Counter, error) {
	var c Counter
	var value rdma.Opt[uint64]
	err := eachAttr(entry, func(a attr) error {
		switch a.typ {
		case attrStatHWName:
			return intoText(&c.Name, a)
		case attrStatHWValue:
			return into(&value, a, attr.u64)
		}
		return nil
	})
	if err != nil {
		return Counter{}, err
	}
	v, ok := value.Get()
	if !ok || c.Name == "" {
		return Counter{}, fmt.Errorf("%w: counter without name or value", ErrMalformed)
	}
	c.Value = v
	return c, nil
}

// CounterState says of one of a port's counters whether it may be switched.
type CounterState struct {
	Name string
	// Index is what [Conn.SetOptionalCounters] calls it by.
	Index uint32
	// On is known for optional counters alone; the others always count.
	On rdma.Opt[bool]
}

// CounterStates lists the counters of a port, those that are off too
// (STAT_GET_STATUS, Linux 5.16: older kernels are an [UnsupportedError]). It
// needs no privilege. A driver that keeps none is [ErrNoCounters].
func (c *Conn) CounterStates(ctx context.Context, index, port uint32) ([]CounterState, error) {
	var all []CounterState
	r := request{op: cmdStatStatus, object: portObject(index, port), attrs: byPort(index, port)}
	err := c.ask(ctx, r, func() { all = nil }, func(payload []byte) error {
		return eachEntry(payload, attrStatHWCounters, func(entry []byte) error {
			s, err := decodeCounterState(entry)
			if err == nil {
				all = append(all, s)
			}
			return err
		})
	})
	return all, c.noCounters(ctx, index, err)
}

func decodeCounterState(entry []byte) (CounterState, error) {
	var s CounterState
	var number rdma.Opt[uint32]
	err := eachAttr(entry, func(a attr) error {
		switch a.typ {
		case attrStatHWName:
			return intoText(&s.Name, a)
		case attrStatHWIndex:
			return into(&number, a, attr.u32)
		case attrStatHWDynamic:
			return into(&s.On, a, attr.flag)
		}
		return nil
	})
	if err != nil {
		return CounterState{}, err
	}
	n, ok := number.Get()
	if !ok || s.Name == "" {
		return CounterState{}, fmt.Errorf("%w: counter without name or index", ErrMalformed)
	}
	s.Index = n
	return s, nil
}

// noCounters tells a driver without counters from a device that is not there:
// the kernel answers EINVAL to both, and EOPNOTSUPP to some of the first.
func (c *Conn) noCounters(ctx context.Context, index uint32, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL) && c.exists(ctx, index):
		return fmt.Errorf("%w: %w", ErrNoCounters, err)
	}
	return noDevice(err)
}

func portObject(index, port uint32) string { return fmt.Sprintf("#%d/%d", index, port) }

func byPort(index, port uint32) []*nl.RtAttr {
	return append(byIndex(index), nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(port)))
}
