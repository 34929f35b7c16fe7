package live

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// Attributes that package unix does not have, from linux/if_link.h.
const (
	iflaVLANID          = 1
	iflaBondMode        = 1
	iflaBondActiveSlave = 2
	iflaVXLANLink       = 3
	iflaHSRSlave1       = 1
	iflaHSRSlave2       = 2
	skipStats           = 1 << 3 // RTEXT_FILTER_SKIP_STATS
)

// link is a netdev on its way from the kernel.
type link struct {
	netstate.Netdev
	// lower is the ifindex of what the netdev was made on, in the namespace that
	// the netdev's own calls nsid; 0 for none, and nsid -1 for its own.
	lower uint32
	nsid  int32
}

// decodeLink reads an RTM_NEWLINK message.
func decodeLink(netns uint64, payload []byte) (link, error) {
	l := link{nsid: -1}
	if len(payload) < unix.SizeofIfInfomsg {
		return l, fmt.Errorf("%w: link of %d octets", errMalformed, len(payload))
	}
	// struct ifinfomsg: family, pad, type (2), index (4), flags (4), change (4).
	flags := binary.NativeEndian.Uint32(payload[8:])
	l.Ref = netstate.Ref{Netns: netns, Index: binary.NativeEndian.Uint32(payload[4:])}
	l.Link = netstate.LinkType(binary.NativeEndian.Uint16(payload[2:]))
	l.Up, l.Running = flags&unix.IFF_UP != 0, flags&unix.IFF_LOWER_UP != 0
	on := uint32(0)
	err := eachAttr(payload[unix.SizeofIfInfomsg:], func(a attr) {
		switch a.typ {
		case unix.IFLA_LINK:
			on = a.u32()
		default:
			l.set(a)
		}
	})
	if liesOn(l.Kind) {
		l.lower = on
	}
	return l, err
}

func (l *link) set(a attr) {
	switch a.typ {
	case unix.IFLA_IFNAME:
		l.Name = a.text()
	case unix.IFLA_PROP_LIST:
		a.nested(func(p attr) { l.AltNames = append(l.AltNames, p.text()) })
		slices.Sort(l.AltNames)
	case unix.IFLA_ADDRESS:
		if len(a.data) == len(netstate.MAC{}) {
			l.MAC = rdma.Known(netstate.MAC(a.data))
		}
	case unix.IFLA_MTU:
		l.MTU = a.u32()
	case unix.IFLA_MASTER:
		l.Master = a.u32()
	case unix.IFLA_LINK_NETNSID:
		l.nsid = int32(a.u32())
	case unix.IFLA_LINKINFO:
		l.setInfo(a)
	}
}

// setInfo reads IFLA_LINKINFO; the kernel writes the kind before what depends on it.
func (l *link) setInfo(a attr) {
	a.nested(func(info attr) {
		switch info.typ {
		case unix.IFLA_INFO_KIND:
			l.Kind = info.text()
			if l.Kind == "bond" {
				l.Bond = &netstate.Bond{}
			}
		case unix.IFLA_INFO_DATA:
			info.nested(l.setData)
		}
	})
}

func (l *link) setData(a attr) {
	switch {
	case l.Kind == "vlan" && a.typ == iflaVLANID:
		l.VLAN = rdma.Known(a.u16())
	case l.Kind == "vxlan" && a.typ == iflaVXLANLink, l.Kind == "hsr" && a.typ == iflaHSRSlave1:
		l.lower = a.u32()
	case l.Kind == "hsr" && a.typ == iflaHSRSlave2:
		l.Lower2 = netstate.Ref{Netns: l.Ref.Netns, Index: a.u32()} // it cannot be in another namespace
	case l.Bond != nil && a.typ == iflaBondMode:
		l.Bond.Mode = bondMode(a.u8())
	case l.Bond != nil && a.typ == iflaBondActiveSlave:
		l.Bond.Active = a.u32()
	}
}

// liesOn tells whether netdevs of a kind are uppers of the one that IFLA_LINK
// names. It means something else for others: the peer of a veth, the underlay
// of a tunnel, which is no upper of it. A vxlan and an HSR device are such, but have
// attributes of their own for it.
func liesOn(kind string) bool {
	return slices.Contains([]string{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "rmnet", "dsa", "lowpan"}, kind)
}

// bondMode returns the kernel's name (bond_mode_tbl, drivers/net/bonding/bond_options.c).
func bondMode(mode uint8) string {
	names := []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	if int(mode) < len(names) {
		return names[mode]
	}
	return fmt.Sprintf("mode %d", mode)
}
