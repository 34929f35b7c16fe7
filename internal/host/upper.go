package host

import (
	"context"
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
)

// behindUpper returns the devices that have GIDs of a netdev which is none of
// their ports' own: a VLAN, a bond, a macvlan. On a live host rdmamap says
// whether there is one at all, and which comes first.
func (h *Host) behindUpper(ctx context.Context, devices []rdma.Device, netdev string) []match {
	first := ""
	if h.live {
		if first = deviceOf(netdev); first == "" {
			return nil
		}
	}
	var found []match
	for _, d := range devices {
		ports := h.portsWithGIDsOf(ctx, d, netdev)
		if len(ports) == 0 && d.Name != first {
			continue
		}
		m := match{device: d}
		if len(ports) == 1 {
			m.netdevPort = rdma.Known(ports[0])
		}
		found = append(found, m)
	}
	return found
}

func (h *Host) portsWithGIDsOf(ctx context.Context, d rdma.Device, netdev string) []uint32 {
	var ports []uint32
	for _, p := range d.Ports {
		// A table that can't be read names nothing: the device is not found by it.
		table, _, err := h.fs.GIDs(ctx, d.Name, p.Number, false)
		if err == nil && slices.ContainsFunc(table.Entries, func(e rdma.GIDEntry) bool { return e.Netdev == netdev }) {
			ports = append(ports, p.Number)
		}
	}
	return ports
}
