package pluginv1

import (
	"errors"
	"fmt"
	"math"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// NewDeviceID writes an id down, with the epoch its generation belongs to.
func NewDeviceID(epoch uint64, id core.ID) *DeviceID {
	return &DeviceID{Epoch: epoch, Index: id.Index, Generation: id.Generation}
}

// ID returns the id without its epoch, which the connection already settled.
func (x *DeviceID) ID() core.ID {
	return core.ID{Index: x.GetIndex(), Generation: x.GetGeneration()}
}

// NewDevice writes a device down.
func NewDevice(d rdma.Device) *Device {
	out := &Device{
		Index:        pointer(d.Index),
		Name:         d.Name,
		NodeType:     widened(d.NodeType),
		Protocol:     string(d.Protocol),
		Firmware:     d.Firmware,
		NodeGuid:     guidOut(d.NodeGUID),
		SysImageGuid: guidOut(d.SysImageGUID),
		NodeDesc:     d.NodeDesc,
		HcaType:      d.HCAType,
		BoardId:      d.BoardID,
		HwRev:        d.HWRev,
		PciAddress:   d.PCIAddress,
		NumaNode:     numaOut(d.NUMANode),
		Driver:       d.Driver,
		CharDevs:     d.CharDevs,
		Parent:       d.Parent,
		Type:         d.Type,

		AdaptiveModeration: pointer(d.AdaptiveModeration),
		Capabilities:       d.Capabilities,
	}
	for _, p := range d.Ports {
		out.Ports = append(out.Ports, newPort(p))
	}
	return out
}

func newPort(p rdma.Port) *Port {
	return &Port{
		Port:          p.Number,
		State:         widened(p.State),
		PhysicalState: widened(p.PhysState),
		LinkLayer:     string(p.LinkLayer),
		RateGbps:      pointer(p.RateGbps),
		Width:         p.Width,
		Speed:         p.Speed,
		Lid:           pointer(p.LID),
		SmLid:         pointer(p.SMLID),
		Lmc:           pointer(p.LMC),
		SubnetPrefix:  guidOut(p.SubnetPrefix),
		ActiveMtu:     pointer(p.ActiveMTU),
		MaxMtu:        pointer(p.MaxMTU),
		CapMask:       pointer(p.CapMask),
		Netdev:        p.Netdev,
		NetdevIndex:   pointer(p.NetdevIndex),
	}
}

// RDMA reads a device. It fails where there is none, and where a number does not
// fit the kernel's enum, which no reader of the kernel can have produced.
func (x *Device) RDMA() (rdma.Device, error) {
	if x == nil {
		return rdma.Device{}, errors.New("no description of the device")
	}
	nodeType, err := narrowed[rdma.NodeType]("node_type", x.NodeType)
	if err != nil {
		return rdma.Device{}, fmt.Errorf("device %q: %w", x.GetName(), err)
	}
	out := rdma.Device{
		Index:        opt(x.Index),
		Name:         x.GetName(),
		NodeType:     nodeType,
		Protocol:     rdma.Protocol(x.GetProtocol()),
		Firmware:     x.GetFirmware(),
		NodeGUID:     guidIn(x.NodeGuid),
		SysImageGUID: guidIn(x.SysImageGuid),
		NodeDesc:     x.GetNodeDesc(),
		HCAType:      x.GetHcaType(),
		BoardID:      x.GetBoardId(),
		HWRev:        x.GetHwRev(),
		PCIAddress:   x.GetPciAddress(),
		NUMANode:     numaIn(x.NumaNode),
		Driver:       x.GetDriver(),
		CharDevs:     x.GetCharDevs(),
		Parent:       x.GetParent(),
		Type:         x.GetType(),

		AdaptiveModeration: opt(x.AdaptiveModeration),
		Capabilities:       x.GetCapabilities(),
	}
	for _, p := range x.GetPorts() {
		port, err := p.rdma()
		if err != nil {
			return rdma.Device{}, fmt.Errorf("device %q port %d: %w", x.GetName(), p.GetPort(), err)
		}
		out.Ports = append(out.Ports, port)
	}
	return out, nil
}

func (x *Port) rdma() (rdma.Port, error) {
	state, err := narrowed[rdma.PortState]("state", x.State)
	if err != nil {
		return rdma.Port{}, err
	}
	phys, err := narrowed[rdma.PhysState]("physical_state", x.PhysicalState)
	if err != nil {
		return rdma.Port{}, err
	}
	return rdma.Port{
		Number:       x.GetPort(),
		State:        state,
		PhysState:    phys,
		LinkLayer:    rdma.LinkLayer(x.GetLinkLayer()),
		RateGbps:     opt(x.RateGbps),
		Width:        x.GetWidth(),
		Speed:        x.GetSpeed(),
		LID:          opt(x.Lid),
		SMLID:        opt(x.SmLid),
		LMC:          opt(x.Lmc),
		SubnetPrefix: guidIn(x.SubnetPrefix),
		ActiveMTU:    opt(x.ActiveMtu),
		MaxMTU:       opt(x.MaxMtu),
		CapMask:      opt(x.CapMask),
		Netdev:       x.GetNetdev(),
		NetdevIndex:  opt(x.NetdevIndex),
	}, nil
}

// pointer and opt translate between the two ways of saying "unknown".
func pointer[T any](o rdma.Opt[T]) *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

func opt[T any](p *T) rdma.Opt[T] {
	if p == nil {
		return rdma.Opt[T]{}
	}
	return rdma.Known(*p)
}

// widened and narrowed do the same for the kernel's enums, which are octets.
func widened[T ~uint8](o rdma.Opt[T]) *uint32 {
	if v, ok := o.Get(); ok {
		n := uint32(v)
		return &n
	}
	return nil
}

func narrowed[T ~uint8](field string, p *uint32) (rdma.Opt[T], error) {
	if p == nil {
		return rdma.Opt[T]{}, nil
	}
	if *p > math.MaxUint8 {
		return rdma.Opt[T]{}, fmt.Errorf("%s %d: out of range", field, *p)
	}
	return rdma.Known(T(*p)), nil
}

func guidOut(o rdma.Opt[rdma.GUID]) *uint64 {
	if v, ok := o.Get(); ok {
		n := uint64(v)
		return &n
	}
	return nil
}

func guidIn(p *uint64) rdma.Opt[rdma.GUID] {
	if p == nil {
		return rdma.Opt[rdma.GUID]{}
	}
	return rdma.Known(rdma.GUID(*p))
}

func numaOut(o rdma.Opt[int]) *int32 {
	if v, ok := o.Get(); ok {
		n := int32(v)
		return &n
	}
	return nil
}

func numaIn(p *int32) rdma.Opt[int] {
	if p == nil {
		return rdma.Opt[int]{}
	}
	return rdma.Known(int(*p))
}
