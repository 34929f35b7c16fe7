package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// QP is one queue pair. The kernel lists those of verbs, not those that an
// application makes with a driver's own commands (mlx5 DEVX).
type QP struct {
	// Port is unknown for a QP that is not bound to one.
	Port rdma.Opt[uint32]
	LQPN uint32
	// RQPN and the packet sequence numbers are those of connected QPs.
	RQPN         rdma.Opt[uint32]
	RQPSN, SQPSN rdma.Opt[uint32]
	// PathMig is the state of automatic path migration.
	PathMig rdma.Opt[PathMigState]
	Type    rdma.Opt[QPType]
	// Subtype is the driver's name for a QP of type DRIVER (Linux 6.11).
	Subtype string
	State   rdma.Opt[QPState]
	PDN     rdma.Opt[uint32]
	Owner   Owner
	Driver  Driver
}

// QPs lists the queue pairs of a device. It needs no privilege.
func (c *Conn) QPs(ctx context.Context, index uint32, opts ...ResourceOption) ([]QP, error) {
	return list(ctx, c, table{cmdResQPGet, attrResQP}, index, opts, decodeQP)
}

func decodeQP(entry []byte) (QP, error) {
	var q qpMessage
	if err := eachAttr(entry, q.set); err != nil {
		return QP{}, err
	}
	number, ok := q.lqpn.Get()
	if !ok {
		return QP{}, fmt.Errorf("%w: QP without number", ErrMalformed)
	}
	q.LQPN = number
	return q.QP, nil
}

// qpMessage is a QP whose number has perhaps not been seen yet.
type qpMessage struct {
	QP
	lqpn rdma.Opt[uint32]
}

func (q *qpMessage) set(a attr) error {
	switch a.typ {
	case attrPortIndex:
		return into(&q.Port, a, attr.u32)
	case attrResLQPN:
		return into(&q.lqpn, a, attr.u32)
	case attrResRQPN:
		return into(&q.RQPN, a, attr.u32)
	case attrResRQPSN:
		return into(&q.RQPSN, a, attr.u32)
	case attrResSQPSN:
		return into(&q.SQPSN, a, attr.u32)
	case attrResPathMig:
		return into(&q.PathMig, a, attr.pathMig)
	case attrResSubtype:
		return intoText(&q.Subtype, a)
	case attrResType:
		return into(&q.Type, a, attr.qpType)
	case attrResState:
		return into(&q.State, a, attr.qpState)
	case attrResPDN:
		return into(&q.PDN, a, attr.u32)
	case attrDriver:
		return q.Driver.set(a)
	}
	return q.Owner.set(a)
}

// QPType is enum ib_qp_type (include/rdma/ib_verbs.h).
type QPType uint8

var qpTypeNames = map[QPType]string{
	0: "SMI", 1: "GSI", 2: "RC", 3: "UC", 4: "UD", 5: "RAW_IPv6", 6: "RAW_ETHERTYPE",
	8: "RAW_PACKET", 9: "XRC_INI", 10: "XRC_TGT", 255: "DRIVER",
}

// String returns the name iproute2 uses, for instance "RC".
func (t QPType) String() string { return nameOr(qpTypeNames, t) }

// QPState is enum ib_qp_state (include/rdma/ib_verbs.h; IBTA 10.3.1).
type QPState uint8

var qpStateNames = map[QPState]string{
	0: "RESET", 1: "INIT", 2: "RTR", 3: "RTS", 4: "SQD", 5: "SQE", 6: "ERR",
}

// String returns the name iproute2 uses, for instance "RTS".
func (s QPState) String() string { return nameOr(qpStateNames, s) }

// PathMigState is enum ib_mig_state (include/rdma/ib_verbs.h; IBTA 17.2.8).
type PathMigState uint8

var pathMigNames = map[PathMigState]string{0: "MIGRATED", 1: "REARM", 2: "ARMED"}

// String returns the name iproute2 uses, for instance "MIGRATED".
func (s PathMigState) String() string { return nameOr(pathMigNames, s) }

// nameOr returns the name of v; a value from a newer kernel shows as its number.
func nameOr[T ~uint8](names map[T]string, v T) string {
	if name, ok := names[v]; ok {
		return name
	}
	return fmt.Sprintf("UNKNOWN(%d)", uint8(v))
}

func (a attr) pathMig() (PathMigState, error) {
	v, err := a.u8()
	return PathMigState(v), err
}

func (a attr) qpType() (QPType, error)   { v, err := a.u8(); return QPType(v), err }
func (a attr) qpState() (QPState, error) { v, err := a.u8(); return QPState(v), err }
