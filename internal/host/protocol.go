package host

import (
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// inferProtocol says which protocol a device speaks where nldev did not (before
// Linux 5.2, or in a copied tree) and sysfs leaves no doubt.
func inferProtocol(d *rdma.Device) {
	node, known := d.NodeType.Get()
	switch {
	case known && node == rdma.NodeRNIC:
		d.Protocol = rdma.ProtocolIWARP
	case known && (node == rdma.NodeUSNIC || node == rdma.NodeUSNICUDP):
		d.Protocol = rdma.ProtocolUSNIC
	case known && node == rdma.NodeUnspecified, len(d.Ports) == 0:
	default:
		// The kernel too decides by the first port (nldev.c, fill_dev_info).
		d.Protocol = linkProtocol(d, d.Ports[0].LinkLayer, known)
	}
}

// linkProtocol decides by the link layer. Ethernet is RoCE only if the device
// is known to be a CA: iWARP is Ethernet too.
func linkProtocol(d *rdma.Device, link rdma.LinkLayer, isCA bool) rdma.Protocol {
	switch {
	case link == rdma.LinkLayerEthernet && isCA:
		return rdma.ProtocolRoCE
	case link != rdma.LinkLayerInfiniBand:
		return ""
	case d.Driver == "hfi1" || strings.Contains(d.BoardID, "Omni-Path"):
		return rdma.ProtocolOPA
	case d.Driver == "" && strings.HasPrefix(d.Name, "hfi1"):
		return "" // its name says OPA; but a name is a label
	case !isCA && (d.Driver == "i40e" || strings.HasPrefix(d.HCAType, "I40IW")):
		return "" // iWARP that calls its link layer InfiniBand
	}
	return rdma.ProtocolIB
}
