package netstate

import (
	"fmt"
	"net/netip"

	"github.com/ibctl/ibctl/core/rdma"
)

// Ref is a netdev's identity: its index is unique in its namespace, its name is
// a label. The zero Ref is no netdev.
type Ref struct {
	// Netns is the namespace's inode number in nsfs, which /proc/PID/ns/net
	// shows: net:[4026531840].
	Netns uint64 `json:"netns"`
	// Index is the ifindex.
	Index uint32 `json:"index"`
}

// Netdev is a network interface.
type Netdev struct {
	Ref
	Name     string   `json:"name"`
	AltNames []string `json:"alt_names,omitempty"`
	// Kind is rtnetlink's name of the driver (IFLA_INFO_KIND): "vlan", "bond",
	// "bridge", "team", "macvlan", "vrf", "veth"; empty for hardware.
	Kind string `json:"kind,omitzero"`
	// Link is the type of its link layer (ARPHRD_*, linux/if_arp.h).
	Link LinkType `json:"link_type"`
	// MAC is unknown where the hardware address has not six octets.
	MAC rdma.Opt[MAC] `json:"mac,omitzero"`
	MTU uint32        `json:"mtu,omitzero"`
	// Up tells whether it is administratively up (IFF_UP), Running whether it has
	// carrier besides (IFF_LOWER_UP).
	Up      bool `json:"up"`
	Running bool `json:"running"`
	// Master is the index of the netdev that it is enslaved to, in its own
	// namespace; 0 for none.
	Master uint32 `json:"master,omitzero"`
	// Lower is the netdev that it was made on; zero if it needs none.
	Lower Ref `json:"lower,omitzero"`
	// Lower2 is the second one of an HSR or PRP device, which joins two.
	Lower2 Ref `json:"lower2,omitzero"`
	// LowerUnseen tells that there is such a netdev, in a namespace that could
	// not be seen.
	LowerUnseen bool `json:"lower_unseen,omitzero"`
	// VLAN is set for a VLAN, Bond for a bond.
	VLAN  rdma.Opt[uint16] `json:"vlan,omitzero"`
	Bond  *Bond            `json:"bond,omitempty"`
	Addrs []Addr           `json:"addrs,omitempty"`
}

// Bond is what a bond has beyond other netdevs.
type Bond struct {
	// Mode is the kernel's name: "active-backup", "802.3ad".
	Mode string `json:"mode"`
	// Active is the index of the active slave; 0 where there is none, as in the
	// modes that know no such thing (IFLA_BOND_ACTIVE_SLAVE).
	Active uint32 `json:"active,omitzero"`
}

// HasPrimary tells whether the bond sends by way of one slave at a time, the
// active one (bond_uses_primary, include/net/bonding.h).
func (b Bond) HasPrimary() bool {
	return b.Mode == "active-backup" || b.Mode == "balance-tlb" || b.Mode == "balance-alb"
}

// IsBond tells whether n is a bond.
func (n Netdev) IsBond() bool { return n.Bond != nil }

// LinkType is ARPHRD_* of linux/if_arp.h.
type LinkType uint16

// Those that ibctl tells apart.
const (
	Ethernet LinkType = 1
	Loopback LinkType = 772
)

// Addr is an address of a netdev.
type Addr struct {
	// Local is the host's own address (IFA_LOCAL).
	Local netip.Addr `json:"local"`
	// Peer is the other end of a point-to-point link, where there is one: an
	// IFA_ADDRESS that differs from the local address.
	Peer netip.Addr `json:"peer,omitzero"`
	// Bits is the length of the prefix: of the peer's network if there is one,
	// else of the host's own.
	Bits uint8 `json:"bits"`
	// Flags are IFA_F_* of linux/if_addr.h.
	Flags AddrFlags `json:"flags,omitzero"`
}

// AddrFlags are IFA_F_* of linux/if_addr.h.
type AddrFlags uint32

// Those that ibctl tells apart.
const (
	Temporary  AddrFlags = 0x01 // an IPv6 privacy address; for IPv4, a secondary address
	DADFailed  AddrFlags = 0x08
	Deprecated AddrFlags = 0x20
	Tentative  AddrFlags = 0x40
)

// Prefix returns the network that the address makes reachable.
func (a Addr) Prefix() netip.Prefix {
	addr := a.Local
	if a.Peer.IsValid() {
		addr = a.Peer
	}
	return netip.PrefixFrom(addr, int(a.Bits)).Masked()
}

// String writes the address as ip-address(8) does: "10.0.0.1/24" or
// "10.0.0.1 peer 10.0.0.2/32".
func (a Addr) String() string {
	if a.Peer.IsValid() {
		return fmt.Sprintf("%v peer %v/%d", a.Local, a.Peer, a.Bits)
	}
	return fmt.Sprintf("%v/%d", a.Local, a.Bits)
}
