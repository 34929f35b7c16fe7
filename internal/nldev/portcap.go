package nldev

import (
	"context"

	"github.com/vishvananda/netlink/nl"

	"github.com/ibctl/ibctl/core/rdma"
)

// PortCapMask2 reads the CapabilityMask2 of an InfiniBand or OPA port (PORT_GET);
// of others the kernel does not tell it. It returns [ErrNoDevice] if no device
// visible here has the index and the port.
func (c *Conn) PortCapMask2(ctx context.Context, index, port uint32) (rdma.Opt[uint32], error) {
	var mask rdma.Opt[uint32]
	r := request{op: cmdPortGet, object: object(index), attrs: append(byIndex(index), nl.NewRtAttr(attrPortIndex, nl.Uint32Attr(port)))}
	err := c.ask(ctx, r,
		func() { mask = rdma.Opt[uint32]{} },
		func(payload []byte) error {
			return eachAttr(payload, func(a attr) error {
				if a.typ != attrCapFlags {
					return nil
				}
				return into(&mask, a, attr.capMask2)
			})
		})
	return mask, noDevice(err)
}

func (a attr) capMask2() (uint32, error) { v, err := a.u64(); return uint32(v >> 32), err }
