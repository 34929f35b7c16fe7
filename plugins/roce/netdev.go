package roce

import (
	"net"

	"github.com/ibctl/ibctl/core/rdma"
)

func linkName(index int) string {
	if link, err := net.InterfaceByIndex(index); err == nil {
		return link.Name
	}
	return ""
}

// ipoibGID returns the GID of the port behind an IPoIB netdev, which is the end of
// its hardware address: flags and QPN, 4 octets, come before it
// (RFC 4391, 9.1.1).
func ipoibGID(netdev string) (gid rdma.GID, ok bool) {
	link, err := net.InterfaceByName(netdev)
	if err != nil || len(link.HardwareAddr) != 4+len(gid) {
		return gid, false
	}
	copy(gid[:], link.HardwareAddr[4:])
	return gid, true
}

// mtu returns that of a netdev, as far as this namespace, or the copied tree, has
// one of that name.
func (c *Client) mtu(netdev string) rdma.Opt[uint32] {
	if netdev == "" {
		return rdma.Opt[uint32]{}
	}
	if !c.live {
		_, mtu := c.sysfs.Netdev(netdev)
		return mtu
	}
	link, err := net.InterfaceByName(netdev)
	if err != nil || link.MTU <= 0 {
		return rdma.Opt[uint32]{}
	}
	return rdma.Known(uint32(link.MTU))
}

// roceHeaders is what the kernel sets aside of a netdev's MTU for a RoCE
// connection: GRH 40, UDP 8, BTH 12, XRC 4, AtomicETH 28 and ICRC 4 octets
// (include/rdma/ib_addr.h, iboe_get_mtu).
const roceHeaders = 40 + 8 + 12 + 4 + 28 + 4

// pathMTU returns the path MTU of a RoCE connection over a netdev of that MTU;
// unknown where it is too small for any.
func pathMTU(netdev rdma.Opt[uint32]) rdma.Opt[uint32] {
	have, known := netdev.Get()
	for _, mtu := range []uint32{4096, 2048, 1024, 512, 256} {
		if known && have >= mtu+roceHeaders {
			return rdma.Known(mtu)
		}
	}
	return rdma.Opt[uint32]{}
}
