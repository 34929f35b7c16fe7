package nldev

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The methods in this file need CAP_NET_ADMIN, and System's other facts can't be
// changed: they are properties of the kernel.

// SetNetnsMode changes how the RDMA subsystem treats network namespaces (SYS_SET).
// The kernel answers EBUSY while there is a network namespace but the initial one.
func (c *Conn) SetNetnsMode(ctx context.Context, mode NetnsMode) error {
	value := uint8(0)
	switch mode {
	case NetnsShared:
		value = 1
	case NetnsExclusive:
	default:
		return fmt.Errorf("there is no netns mode %q", mode)
	}
	return c.setSystem(ctx, attrNetnsMode, value, "the RDMA netns mode", "5.2")
}

// SetPrivilegedQKey decides whether processes without CAP_NET_RAW may set a
// privileged Q_Key (SYS_SET).
func (c *Conn) SetPrivilegedQKey(ctx context.Context, on bool) error {
	value := uint8(0)
	if on {
		value = 1
	}
	return c.setSystem(ctx, attrPrivilegedQKey, value, "the privileged Q_Key mode", "6.7")
}

func (c *Conn) setSystem(ctx context.Context, attr int, value uint8, feature, since string) error {
	err := c.change(ctx, request{op: cmdSysSet, attrs: []*nl.RtAttr{nl.NewRtAttr(attr, nl.Uint8Attr(value))}})
	if errors.Is(err, unix.EINVAL) {
		return &UnsupportedError{Feature: feature, Since: since, Cause: err}
	}
	return err
}

// AddSubDevice makes a sub-device of the type smi, the only one there is, of a
// device (NEWDEV, Linux 6.11). A driver that does not know how answers EOPNOTSUPP.
func (c *Conn) AddSubDevice(ctx context.Context, parent uint32, name string) error {
	err := c.change(ctx, request{op: cmdNewDev, object: name, attrs: append(byIndex(parent),
		nl.NewRtAttr(attrDevName, nl.ZeroTerminated(name)),
		nl.NewRtAttr(attrDevType, nl.Uint8Attr(deviceTypeSMI)),
	)})
	if errors.Is(err, unix.EINVAL) && c.exists(ctx, parent) {
		return &UnsupportedError{Feature: "a sub-device", Since: "6.11", Cause: err}
	}
	return err
}
