package host

import "github.com/ibctl/ibctl/core/rdma"

// mtuRule is how a driver derives the active path MTU of a RoCE port from the
// MTU of its netdev, and the largest one that it offers.
type mtuRule struct {
	overhead uint32 // octets that it sets aside for headers
	floor    uint32 // what a netdev too small for any gets; 0: none
	max      uint32
}

// iboeOverhead is what iboe_get_mtu (include/rdma/ib_addr.h) sets aside: GRH 40,
// UDP 8, BTH 12, XRC 4, AtomicETH 28, ICRC 4.
const iboeOverhead = 40 + 8 + 12 + 4 + 28 + 4

// rxeOverhead is RXE_MAX_HDR_LENGTH (drivers/infiniband/sw/rxe/rxe_hdr.h).
const rxeOverhead = 80

// roceMTU returns the rule of a driver, as its query_port has it. Those of
// drivers that are not listed differ, or were not looked up: unknown.
func roceMTU(driver string) (rule mtuRule, ok bool) {
	switch driver {
	case "rxe": // rxe_set_mtu; seen to agree with ibv_devinfo in the lab
		return mtuRule{rxeOverhead, 256, 4096}, true
	case "mlx5_core", "mlx5_core.sf": // mlx5_query_port_roce
		return mtuRule{iboeOverhead, 0, 4096}, true
	case "mlx4_core": // eth_link_query_port
		return mtuRule{iboeOverhead, 256, 4096}, true
	case "bnxt_en": // bnxt_re_query_port
		return mtuRule{iboeOverhead, 0, 4096}, true
	case "qede": // qedr_query_port
		return mtuRule{iboeOverhead, 0, 4096}, true
	}
	return mtuRule{}, false
}

// active returns the path MTU for a netdev's MTU.
func (r mtuRule) active(netdevMTU uint32) rdma.Opt[uint32] {
	for _, mtu := range []uint32{4096, 2048, 1024, 512, 256} {
		if mtu <= r.max && netdevMTU >= mtu+r.overhead {
			return rdma.Known(mtu)
		}
	}
	if r.floor > 0 {
		return rdma.Known(r.floor)
	}
	return rdma.Opt[uint32]{}
}

// addPathMTUs fills in the path MTUs of RoCE ports; no kernel interface tells those
// of others but verbs.
func (h *Host) addPathMTUs(d *rdma.Device) {
	if d.Protocol != rdma.ProtocolRoCE {
		return
	}
	rule, ok := roceMTU(d.Driver)
	if !ok {
		return
	}
	for i := range d.Ports {
		p := &d.Ports[i]
		if p.LinkLayer != rdma.LinkLayerEthernet {
			continue // one of mlx4's, which mixes them
		}
		p.MaxMTU = rdma.Known(rule.max)
		if mtu, ok := h.netdev.mtu(p.Netdev).Get(); ok {
			p.ActiveMTU = rule.active(mtu)
		}
	}
}
