package nldev

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Ports lists what PORT_GET tells of a device's ports: state, physical state
// and the netdev where it lies in this Conn's namespace; for InfiniBand and OPA
// also LIDs, LMC, subnet prefix and capability mask. It returns [ErrNoDevice]
// if no device visible here has the index.
//
// The kernel ends the list silently at a port whose driver fails, so compare
// its length with [Device.PortCount].
func (c *Conn) Ports(ctx context.Context, index uint32) ([]rdma.Port, error) {
	var all []rdma.Port
	err := c.ask(ctx, request{op: cmdPortGet, dump: true, object: object(index), attrs: byIndex(index)},
		func() { all = nil },
		func(payload []byte) error {
			p, err := decodePort(payload)
			if err == nil {
				all = append(all, p)
			}
			return err
		})
	return all, noDevice(err)
}

func decodePort(payload []byte) (rdma.Port, error) {
	var p portMessage
	if err := eachAttr(payload, p.set); err != nil {
		return rdma.Port{}, err
	}
	number, ok := p.number.Get()
	if !ok {
		return rdma.Port{}, fmt.Errorf("%w: port without number", ErrMalformed)
	}
	p.Number = number
	return p.Port, nil
}

// portMessage is a port whose number has perhaps not been seen yet.
type portMessage struct {
	rdma.Port
	number rdma.Opt[uint32]
}

func (p *portMessage) set(a attr) error {
	switch a.typ {
	case attrPortIndex:
		return into(&p.number, a, attr.u32)
	case attrPortState:
		return into(&p.State, a, attr.portState)
	case attrPortPhysState:
		return into(&p.PhysState, a, attr.physState)
	case attrCapFlags:
		return into(&p.CapMask, a, attr.capMask)
	case attrSubnetPrefix:
		return into(&p.SubnetPrefix, a, attr.guid)
	case attrLID:
		return into(&p.LID, a, attr.u32)
	case attrSMLID:
		return into(&p.SMLID, a, attr.u32)
	case attrLMC:
		return into(&p.LMC, a, attr.lmc)
	case attrNetdevIndex:
		return into(&p.NetdevIndex, a, attr.u32)
	case attrNetdevName:
		return intoText(&p.Netdev, a)
	}
	return nil
}
