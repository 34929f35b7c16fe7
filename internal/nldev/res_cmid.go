package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// CMID is one id of the RDMA connection manager (struct rdma_cm_id): a listener,
// a connection, or one of the two on the way there.
type CMID struct {
	// IDN is unique within the device.
	IDN  rdma.Opt[uint32]
	Port rdma.Opt[uint32]
	// LQPN and QPType are those of the QP that the id is joined to.
	LQPN      rdma.Opt[uint32]
	QPType    rdma.Opt[QPType]
	PortSpace rdma.Opt[PortSpace]
	State     rdma.Opt[CMState]
	// Source and Destination are zero where there is none yet.
	Source, Destination Endpoint
	Owner               Owner
	Driver              Driver
}

// CMIDs lists the ids that are bound to a device. It needs no privilege. Ids that
// are bound to none, such as a listener on any address, are in no list; but the
// kernel makes an id on each device for such a listener, and those are.
func (c *Conn) CMIDs(ctx context.Context, index uint32, opts ...ResourceOption) ([]CMID, error) {
	return list(ctx, c, table{cmdResCMIDGet, attrResCMID}, index, opts, decode[CMID])
}

func (id *CMID) set(a attr) error {
	switch a.typ {
	case attrPortIndex:
		return into(&id.Port, a, attr.u32)
	case attrResLQPN:
		return into(&id.LQPN, a, attr.u32)
	case attrResType:
		return into(&id.QPType, a, attr.qpType)
	case attrResPS:
		return into(&id.PortSpace, a, attr.portSpace)
	case attrResState:
		return into(&id.State, a, attr.cmState)
	case attrResSrcAddr:
		return intoEndpoint(&id.Source, a)
	case attrResDstAddr:
		return intoEndpoint(&id.Destination, a)
	case attrResCMIDN:
		return into(&id.IDN, a, attr.u32)
	case attrDriver:
		return id.Driver.set(a)
	}
	return id.Owner.set(a)
}

// CMState is enum rdma_cm_state (drivers/infiniband/core/cma_priv.h).
type CMState uint8

var cmStateNames = map[CMState]string{
	0: "IDLE", 1: "ADDR_QUERY", 2: "ADDR_RESOLVED", 3: "ROUTE_QUERY", 4: "ROUTE_RESOLVED",
	5: "CONNECT", 6: "DISCONNECT", 7: "ADDR_BOUND", 8: "LISTEN", 9: "DEVICE_REMOVAL", 10: "DESTROYING",
}

// String returns the name iproute2 uses, for instance "LISTEN".
func (s CMState) String() string { return nameOr(cmStateNames, s) }

// PortSpace is enum rdma_ucm_port_space (include/uapi/rdma/rdma_user_cm.h).
type PortSpace uint32

var portSpaceNames = map[PortSpace]string{0x0002: "IPOIB", 0x013f: "IB", 0x0106: "TCP", 0x0111: "UDP"}

// String returns the name iproute2 uses, for instance "TCP".
func (p PortSpace) String() string {
	if name, ok := portSpaceNames[p]; ok {
		return name
	}
	return fmt.Sprintf("UNKNOWN(%#x)", uint32(p))
}

func (a attr) portSpace() (PortSpace, error) { v, err := a.u32(); return PortSpace(v), err }
func (a attr) cmState() (CMState, error)     { v, err := a.u8(); return CMState(v), err }
