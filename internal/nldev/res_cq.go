package nldev

import (
	"context"

	"github.com/ibctl/ibctl/core/rdma"
)

// CQ is one completion queue.
type CQ struct {
	// CQN is unique among the device's CQs (restrack's number, not the hardware's).
	CQN rdma.Opt[uint32]
	// CQE is how many entries it has, less one with some drivers.
	CQE rdma.Opt[uint32]
	// Users counts the QPs and SRQs that refer to it.
	Users rdma.Opt[uint64]
	// PollContext is how the kernel polls a queue of its own.
	PollContext rdma.Opt[PollContext]
	// AdaptiveModeration tells whether interrupts are moderated by load (DIM).
	AdaptiveModeration rdma.Opt[bool]
	CTXN               rdma.Opt[uint32]
	Owner              Owner
	Driver             Driver
}

// CQs lists the completion queues of a device. It needs no privilege.
func (c *Conn) CQs(ctx context.Context, index uint32, opts ...ResourceOption) ([]CQ, error) {
	return list(ctx, c, table{cmdResCQGet, attrResCQ}, index, opts, decode[CQ])
}

func (q *CQ) set(a attr) error {
	switch a.typ {
	case attrResCQN:
		return into(&q.CQN, a, attr.u32)
	case attrResCQE:
		return into(&q.CQE, a, attr.u32)
	case attrResUseCnt:
		return into(&q.Users, a, attr.u64)
	case attrResPollCtx:
		return into(&q.PollContext, a, attr.pollContext)
	case attrDevDIM:
		return into(&q.AdaptiveModeration, a, attr.flag)
	case attrResCtxN:
		return into(&q.CTXN, a, attr.u32)
	case attrDriver:
		return q.Driver.set(a)
	}
	return q.Owner.set(a)
}

// PollContext is enum ib_poll_context (include/rdma/ib_verbs.h).
type PollContext uint8

var pollContextNames = map[PollContext]string{0: "DIRECT", 1: "SOFTIRQ", 2: "WORKQUEUE", 3: "UNBOUND_WORKQUEUE"}

// String returns the name iproute2 uses, for instance "WORKQUEUE".
func (p PollContext) String() string { return nameOr(pollContextNames, p) }

func (a attr) pollContext() (PollContext, error) { v, err := a.u8(); return PollContext(v), err }
