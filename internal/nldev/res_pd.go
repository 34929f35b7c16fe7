package nldev

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// PD is one protection domain.
type PD struct {
	// PDN is unique among the device's domains.
	PDN rdma.Opt[uint32]
	// LocalDMALKey and UnsafeGlobalRKey are for who has CAP_NET_ADMIN; the second
	// is there if the domain has one.
	LocalDMALKey, UnsafeGlobalRKey rdma.Opt[uint32]
	// Users counts what lies in the domain.
	Users  rdma.Opt[uint64]
	CTXN   rdma.Opt[uint32]
	Owner  Owner
	Driver Driver
}

// PDs lists the protection domains of a device. Without CAP_NET_ADMIN the keys
// are unknown.
func (c *Conn) PDs(ctx context.Context, index uint32, opts ...ResourceOption) ([]PD, error) {
	return list(ctx, c, table{cmdResPDGet, attrResPD}, index, opts, decode[PD])
}

func (p *PD) set(a attr) error {
	switch a.typ {
	case attrResPDN:
		return into(&p.PDN, a, attr.u32)
	case attrResLocalLKey:
		return into(&p.LocalDMALKey, a, attr.u32)
	case attrResGlobalRKey:
		return into(&p.UnsafeGlobalRKey, a, attr.u32)
	case attrResUseCnt:
		return into(&p.Users, a, attr.u64)
	case attrResCtxN:
		return into(&p.CTXN, a, attr.u32)
	case attrDriver:
		return p.Driver.set(a)
	}
	return p.Owner.set(a)
}

// Context is one user context: an open verbs device of a process.
type Context struct {
	// CTXN is unique among the device's contexts.
	CTXN   rdma.Opt[uint32]
	Owner  Owner
	Driver Driver
}

// UserContexts lists the contexts of a device. It needs no privilege. Kernels
// before 5.13 do not tell: an [UnsupportedError] says so.
func (c *Conn) UserContexts(ctx context.Context, index uint32, opts ...ResourceOption) ([]Context, error) {
	all, err := list(ctx, c, table{cmdResCtxGet, attrResCtx}, index, opts, decode[Context])
	return all, c.since513(ctx, "the list of contexts", index, err)
}

func (x *Context) set(a attr) error {
	switch a.typ {
	case attrResCtxN:
		return into(&x.CTXN, a, attr.u32)
	case attrDriver:
		return x.Driver.set(a)
	}
	return x.Owner.set(a)
}

// since513 says what an EINVAL means for an operation of Linux 5.13.
func (c *Conn) since513(ctx context.Context, feature string, index uint32, err error) error {
	if errors.Is(err, unix.EINVAL) && c.exists(ctx, index) {
		return &UnsupportedError{Feature: feature, Since: "5.13", Cause: unix.EINVAL}
	}
	return err
}
