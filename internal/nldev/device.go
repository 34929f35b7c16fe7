package nldev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// Device is what GET tells of a device: index, name, node type, protocol,
// firmware, GUIDs, parent and sub-device type. Ports is empty; [Conn.Ports]
// reads them.
type Device struct {
	rdma.Device
	// PortCount is the number of the last port.
	PortCount rdma.Opt[uint32]
}

// Devices lists the devices that this Conn's network namespace sees, in the
// kernel's order. Devices that could be decoded are returned beside an error
// about one that could not (errors.Is [ErrMalformed]).
//
// The kernel sends one device at a time, and finds the next by its position
// (ib_enum_all_devs in drivers/infiniband/core/device.c). So where a device goes
// that was sent already, the dump leaves out another, which is alive, and does not
// say that it was interrupted. A list counts when the next one has the same
// devices; [ErrInterrupted] says that none did.
func (c *Conn) Devices(ctx context.Context) ([]Device, error) {
	var last []Device
	for i := range maxDumps {
		now, err := c.DevicesOnce(ctx)
		if err != nil && !errors.Is(err, ErrMalformed) || len(now) == 0 || i > 0 && sameDevices(last, now) {
			return now, err
		}
		last = now
	}
	return nil, fmt.Errorf("%s: %w", about(opName(cmdGet), ""), ErrInterrupted)
}

// DevicesOnce is Devices by a single dump, for who compares lists anyway: only two
// that agree leave no device out.
func (c *Conn) DevicesOnce(ctx context.Context) ([]Device, error) {
	var all []Device
	err := c.ask(ctx, request{op: cmdGet, dump: true},
		func() { all = nil },
		func(payload []byte) error {
			d, err := decodeDevice(payload)
			if err == nil {
				all = append(all, d)
			}
			return err
		})
	return all, err
}

func sameDevices(a, b []Device) bool {
	return slices.EqualFunc(a, b, func(a, b Device) bool { return a.Index == b.Index })
}

// Device reads one device by its index. It returns [ErrNoDevice] if no device
// visible here has it.
func (c *Conn) Device(ctx context.Context, index uint32) (Device, error) {
	var d Device
	err := c.ask(ctx, request{op: cmdGet, object: object(index), attrs: byIndex(index)},
		func() { d = Device{} },
		func(payload []byte) (err error) {
			d, err = decodeDevice(payload)
			return err
		})
	return d, noDevice(err)
}

func byIndex(index uint32) []*nl.RtAttr {
	return []*nl.RtAttr{nl.NewRtAttr(attrDevIndex, nl.Uint32Attr(index))}
}

func object(index uint32) string { return "#" + strconv.FormatUint(uint64(index), 10) }

// noDevice adds ErrNoDevice to the EINVAL with which the kernel answers for an
// index that it does not have. It is for operations that all nldev kernels know.
func noDevice(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: %w", ErrNoDevice, err)
	}
	return err
}

func decodeDevice(payload []byte) (Device, error) {
	var d Device
	if err := eachAttr(payload, d.set); err != nil {
		return Device{}, err
	}
	if !d.Index.IsKnown() || d.Name == "" {
		return Device{}, fmt.Errorf("%w: device without index or name", ErrMalformed)
	}
	return d, nil
}

func (d *Device) set(a attr) error {
	switch a.typ {
	case attrDevIndex:
		return into(&d.Index, a, attr.u32)
	case attrDevName:
		return intoText(&d.Name, a)
	case attrPortIndex:
		return into(&d.PortCount, a, attr.u32)
	case attrFWVersion:
		return intoText(&d.Firmware, a)
	case attrNodeGUID:
		return into(&d.NodeGUID, a, attr.guid)
	case attrSysImageGUID:
		return into(&d.SysImageGUID, a, attr.guid)
	case attrDevNodeType:
		return into(&d.NodeType, a, attr.nodeType)
	case attrDevProtocol:
		return intoText(&d.Protocol, a)
	case attrCapFlags:
		flags, err := a.u64()
		d.Capabilities = rdma.DeviceCapabilities(flags)
		return err
	case attrDevDIM:
		return into(&d.AdaptiveModeration, a, attr.flag)
	case attrDevType:
		return d.setType(a)
	case attrParentName:
		return intoText(&d.Parent, a)
	}
	return nil // a newer kernel may say more
}

func (d *Device) setType(a attr) error {
	v, err := a.u8()
	switch {
	case err != nil:
		return err
	case v == deviceTypeSMI:
		d.Type = "smi"
	default:
		d.Type = fmt.Sprintf("UNKNOWN(%d)", v)
	}
	return nil
}
