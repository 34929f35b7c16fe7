package nldev

import (
	"context"

	"github.com/ibctl/ibctl/core/rdma"
)

// MR is one memory region.
type MR struct {
	// MRN is unique among the device's regions.
	MRN rdma.Opt[uint32]
	// RKey and LKey are for who has CAP_NET_ADMIN.
	RKey, LKey rdma.Opt[uint32]
	// IOVA is the address that the region begins at; no kernel tells it since 4.17.
	IOVA rdma.Opt[uint64]
	// Length is in octets.
	Length rdma.Opt[uint64]
	PDN    rdma.Opt[uint32]
	Owner  Owner
	Driver Driver
}

// MRs lists the memory regions of a device. Without CAP_NET_ADMIN the keys are
// unknown.
func (c *Conn) MRs(ctx context.Context, index uint32, opts ...ResourceOption) ([]MR, error) {
	return list(ctx, c, table{cmdResMRGet, attrResMR}, index, opts, decode[MR])
}

func (m *MR) set(a attr) error {
	switch a.typ {
	case attrResMRN:
		return into(&m.MRN, a, attr.u32)
	case attrResRKey:
		return into(&m.RKey, a, attr.u32)
	case attrResLKey:
		return into(&m.LKey, a, attr.u32)
	case attrResIOVA:
		return into(&m.IOVA, a, attr.u64)
	case attrResMRLen:
		return into(&m.Length, a, attr.u64)
	case attrResPDN:
		return into(&m.PDN, a, attr.u32)
	case attrDriver:
		return m.Driver.set(a)
	}
	return m.Owner.set(a)
}
