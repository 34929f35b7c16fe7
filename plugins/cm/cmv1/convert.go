package cmv1

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// NewAddress writes an IP address and port down; nil for none. The zone of a
// link-local address is an interface index in decimal.
func NewAddress(a netip.AddrPort) *Address {
	if !a.Addr().IsValid() {
		return nil
	}
	scope, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // no zone: 0
	return &Address{Ip: a.Addr().AsSlice(), Port: uint32(a.Port()), ScopeId: uint32(scope)}
}

// ErrAddress says that a message holds something else where an IP address and
// port should be.
var ErrAddress = errors.New("not an IP address and port")

// AddrPort reads an IP address and port. Nothing is the zero AddrPort.
func (x *Address) AddrPort() (netip.AddrPort, error) {
	if x == nil || len(x.GetIp()) == 0 {
		return netip.AddrPort{}, nil
	}
	ip, ok := netip.AddrFromSlice(x.GetIp())
	if !ok || x.GetPort() > 1<<16-1 {
		return netip.AddrPort{}, ErrAddress
	}
	if scope := x.GetScopeId(); scope != 0 && ip.Is6() {
		ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
	}
	return netip.AddrPortFrom(ip, uint16(x.GetPort())), nil
}

// NewWarning writes a warning down.
func NewWarning(w rdma.Warning) *Warning {
	return &Warning{Object: w.Object, Op: w.Op, Error: pluginv1.NewError(w.Err)}
}

// NewWarnings writes warnings down.
func NewWarnings(list []rdma.Warning) []*Warning {
	var out []*Warning
	for _, w := range list {
		out = append(out, NewWarning(w))
	}
	return out
}

// errNoReason stands in where a warning came without its error.
var errNoReason = errors.New("no reason given")

// RDMA reads a warning. errors.Is finds its errno.
func (x *Warning) RDMA() rdma.Warning {
	err := x.GetError().Err()
	if err == nil {
		err = errNoReason
	}
	return rdma.Warning{Object: x.GetObject(), Op: x.GetOp(), Err: err}
}

// RDMAWarnings reads warnings.
func RDMAWarnings(list []*Warning) []rdma.Warning {
	var out []rdma.Warning
	for _, w := range list {
		out = append(out, w.RDMA())
	}
	return out
}

// Alive tells whether something answered.
func (x Outcome) Alive() bool {
	switch x {
	case Outcome_OUTCOME_IDENTIFIED, Outcome_OUTCOME_NO_LISTENER, Outcome_OUTCOME_REJECTED,
		Outcome_OUTCOME_ACCEPTED, Outcome_OUTCOME_BUSY, Outcome_OUTCOME_REFUSED:
		return true
	}
	return false
}
