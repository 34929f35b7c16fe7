package nldev

import (
	"context"

	"github.com/vishvananda/netlink/nl"
)

// The methods in this file change devices and need CAP_NET_ADMIN. The kernel
// works while the request is being sent: as long as it waits for a device's
// users, no context and no signal ends the call.

// AddLink makes a soft device on a netdev (NEWLINK, Linux 5.1). The type is
// "rxe" or "siw"; the kernel loads the driver if it can.
func (c *Conn) AddLink(ctx context.Context, name, linkType, netdev string) error {
	return c.change(ctx, request{op: cmdNewLink, object: name, attrs: []*nl.RtAttr{
		nl.NewRtAttr(attrDevName, nl.ZeroTerminated(name)),
		nl.NewRtAttr(attrLinkType, nl.ZeroTerminated(linkType)),
		nl.NewRtAttr(attrNetdevName, nl.ZeroTerminated(netdev)),
	}})
}

// DeleteLink removes a soft device (DELLINK). The kernel answers EINVAL for a
// device that is not soft, and to an index that it does not have.
func (c *Conn) DeleteLink(ctx context.Context, index uint32) error {
	return c.change(ctx, request{op: cmdDelLink, object: object(index), attrs: byIndex(index)})
}

// DeleteSubDevice removes a sub-device (DELDEV, Linux 6.11). The kernel answers
// EINVAL for a device that is not one.
func (c *Conn) DeleteSubDevice(ctx context.Context, index uint32) error {
	return c.change(ctx, request{op: cmdDelDev, object: object(index), attrs: byIndex(index)})
}

// Rename gives a device another name (SET). The kernel answers EEXIST if another
// has it.
func (c *Conn) Rename(ctx context.Context, index uint32, name string) error {
	return c.set(ctx, index, nl.NewRtAttr(attrDevName, nl.ZeroTerminated(name)))
}

// SetNetns moves a device to the network namespace that fd refers to (SET). For
// the device's users that is a removal. A driver that does not know how answers
// EOPNOTSUPP, and so does the shared netns mode.
func (c *Conn) SetNetns(ctx context.Context, index uint32, fd int) error {
	return c.set(ctx, index, nl.NewRtAttr(attrNetnsFD, nl.Uint32Attr(uint32(fd))))
}

// SetAdaptiveModeration switches adaptive interrupt moderation of the device's
// completion queues on or off (SET); it applies to queues made afterwards.
func (c *Conn) SetAdaptiveModeration(ctx context.Context, index uint32, on bool) error {
	value := uint8(0)
	if on {
		value = 1
	}
	return c.set(ctx, index, nl.NewRtAttr(attrDevDIM, []byte{value}))
}

func (c *Conn) set(ctx context.Context, index uint32, what *nl.RtAttr) error {
	r := request{op: cmdSet, object: object(index), attrs: append(byIndex(index), what)}
	return c.change(ctx, r)
}

// change sends a request that is answered by an acknowledgement alone.
func (c *Conn) change(ctx context.Context, r request) error {
	r.ack = true
	return c.ask(ctx, r, func() {}, func([]byte) error { return nil })
}
