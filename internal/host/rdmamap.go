package host

import (
	"slices"

	"github.com/Mellanox/rdmamap"

	"github.com/ibctl/ibctl/core/rdma"
)

// What rdmamap v1.2.0 is asked, and what not. It reads the fixed path /sys, so
// never for a copied tree.
//
//   - Character devices of one device: rdmamap. Each question walks the whole
//     classes, which for all devices of a large host is quadratic: there, one
//     walk of our own answers for all. A lab test holds the two against each
//     other.
//   - Netdev → device: rdmamap, for a netdev that is no port's own (a VLAN, a
//     bond). It names the first device it finds; a bond is on several, so the
//     tables of the others are looked at as well.
//   - IPoIB → device: only where the port's GUID cannot be read. rdmamap
//     compares the interface's address with the *node* GUID, which is not that
//     of the second port, nor on many devices of the first
//     (Mellanox/rdmamap#15).
//   - Port → netdev: rdmamap has no answer.

// fewDevices is up to how many rdmamap is asked for character devices.
const fewDevices = 4

// addCharDevs fills in the character devices.
func (h *Host) addCharDevs(devices []rdma.Device) []rdma.Warning {
	switch {
	case h.detail != Full:
		return nil
	case h.live && len(devices) <= fewDevices:
		for i := range devices {
			devices[i].CharDevs = charDevsOf(devices[i].Name)
		}
		return nil
	}
	all, warnings := h.fs.CharDevs()
	for i := range devices {
		devices[i].CharDevs = all[devices[i].Name]
	}
	return warnings
}

// charDevsOf leaves out the device of the connection manager, which rdmamap
// counts among those of every RDMA device. It belongs to none.
func charDevsOf(device string) []string {
	found := slices.DeleteFunc(rdmamap.GetRdmaCharDevices(device), func(path string) bool { return path == rdmamap.RdmaUcmDevice })
	slices.Sort(found)
	return found
}

// deviceOf returns the RDMA device behind a netdev of the calling thread's
// namespace, the first one that rdmamap finds; "" if there is none.
func deviceOf(netdev string) string {
	name, err := rdmamap.GetRdmaDeviceForNetdevice(netdev)
	if err != nil {
		return "" // it says so of a netdev that has none too
	}
	return name
}
