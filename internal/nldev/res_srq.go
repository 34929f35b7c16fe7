package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// SRQ is one shared receive queue.
type SRQ struct {
	// SRQN is unique among the device's SRQs.
	SRQN rdma.Opt[uint32]
	Type rdma.Opt[SRQType]
	PDN  rdma.Opt[uint32]
	// CQN is that of an SRQ that has a completion queue (XRC, tag matching).
	CQN rdma.Opt[uint32]
	// QPs are the numbers of the QPs that receive from it, ascending.
	QPs    []Range
	Owner  Owner
	Driver Driver
}

// Range is the numbers from First to Last.
type Range struct{ First, Last uint32 }

// SRQs lists the shared receive queues of a device. It needs no privilege. Kernels
// before 5.13 do not tell: an [UnsupportedError] says so.
func (c *Conn) SRQs(ctx context.Context, index uint32, opts ...ResourceOption) ([]SRQ, error) {
	all, err := list(ctx, c, table{cmdResSRQGet, attrResSRQ}, index, opts, decode[SRQ])
	return all, c.since513(ctx, "the list of shared receive queues", index, err)
}

func (s *SRQ) set(a attr) error {
	switch a.typ {
	case attrResSRQN:
		return into(&s.SRQN, a, attr.u32)
	case attrResType:
		return into(&s.Type, a, attr.srqType)
	case attrResPDN:
		return into(&s.PDN, a, attr.u32)
	case attrResCQN:
		return into(&s.CQN, a, attr.u32)
	case attrResQP:
		return s.setQPs(a)
	case attrDriver:
		return s.Driver.set(a)
	}
	return s.Owner.set(a)
}

// setQPs reads a table whose entries have one number, or two that stand for a range.
func (s *SRQ) setQPs(a attr) error {
	return eachAttr(a.data, func(entry attr) error {
		if entry.typ != attrResQP+1 {
			return fmt.Errorf("%w: attribute %d in the QPs of an SRQ", ErrMalformed, entry.typ)
		}
		var first, last rdma.Opt[uint32]
		err := eachAttr(entry.data, func(a attr) error {
			switch a.typ {
			case attrResLQPN:
				last = rdma.Opt[uint32]{}
				return into(&first, a, attr.u32)
			case attrMinRange:
				return into(&first, a, attr.u32)
			case attrMaxRange:
				return into(&last, a, attr.u32)
			}
			return nil
		})
		from, ok := first.Get()
		to := last.Or(from)
		if err == nil && (!ok || to < from) {
			err = fmt.Errorf("%w: QPs of an SRQ from %d to %d", ErrMalformed, from, to)
		}
		if err == nil {
			s.QPs = append(s.QPs, Range{from, to})
		}
		return err
	})
}

// SRQType is enum ib_srq_type (include/rdma/ib_verbs.h).
type SRQType uint8

var srqTypeNames = map[SRQType]string{0: "BASIC", 1: "XRC", 2: "TM"}

// String returns the name iproute2 uses, for instance "BASIC".
func (t SRQType) String() string { return nameOr(srqTypeNames, t) }

func (a attr) srqType() (SRQType, error) { v, err := a.u8(); return SRQType(v), err }
