package host

import (
	"context"
	"encoding/binary"
	"net"

	"github.com/ibctl/ibctl/core/rdma"
)

// addIPoIB fills in the IPoIB interfaces of InfiniBand ports, of which nldev
// knows nothing.
func (h *Host) addIPoIB(ctx context.Context, devices []rdma.Device) (warnings []rdma.Warning) {
	ports := portsWithoutIPoIB(devices)
	if !h.live || len(ports) == 0 {
		return nil
	}
	interfaces, err := listIPoIB()
	if err != nil {
		return []rdma.Warning{{Object: "network interfaces", Op: "list", Err: err}}
	}
	for _, p := range ports {
		guid, err := h.portGUID(ctx, p.device, p.port)
		if err != nil {
			warnings = append(warnings, rdma.Warning{Object: portName(p.device, p.port), Op: "read port GUID", Err: err})
		}
		matchIPoIB(p, guid, interfaces)
	}
	return warnings
}

// devicePort is a port with its device.
type devicePort struct {
	device *rdma.Device
	port   *rdma.Port
}

func portsWithoutIPoIB(devices []rdma.Device) (found []devicePort) {
	for i := range devices {
		for j := range devices[i].Ports {
			if p := &devices[i].Ports[j]; p.LinkLayer == rdma.LinkLayerInfiniBand && p.Netdev == "" {
				found = append(found, devicePort{&devices[i], p})
			}
		}
	}
	return found
}

// ipoib is an IPoIB interface.
type ipoib struct {
	name  string
	index uint32
	guid  rdma.GUID // of the port
}

// listIPoIB lists them by index. They are known by the length of their hardware
// address: QPN, then the port's GID (RFC 4391, 9.1.1).
func listIPoIB() (found []ipoib, err error) {
	all, err := net.Interfaces()
	for _, i := range all {
		if len(i.HardwareAddr) == 20 {
			found = append(found, ipoib{i.Name, uint32(i.Index), rdma.GUID(binary.BigEndian.Uint64(i.HardwareAddr[12:]))})
		}
	}
	return found, err
}

// matchIPoIB takes the first interface that has the port's GUID. The interfaces
// of partitions (ib0.8001) have it too, and come later.
func matchIPoIB(p devicePort, guid rdma.Opt[rdma.GUID], interfaces []ipoib) {
	for _, i := range interfaces {
		g, known := guid.Get()
		if known && g == i.guid || !known && len(p.device.Ports) == 1 && deviceOf(i.name) == p.device.Name {
			p.port.Netdev, p.port.NetdevIndex = i.name, rdma.Known(i.index)
			return
		}
	}
}

// portGUID is the lower half of the port's first GID (IBTA 1.5, 4.1.1).
func (h *Host) portGUID(ctx context.Context, d *rdma.Device, p *rdma.Port) (rdma.Opt[rdma.GUID], error) {
	table, _, err := h.fs.GIDs(ctx, d.Name, p.Number, false)
	if err != nil || len(table.Entries) == 0 || table.Entries[0].Index != 0 {
		return rdma.Opt[rdma.GUID]{}, err
	}
	return rdma.Known(table.Entries[0].GID.InterfaceID()), nil
}
