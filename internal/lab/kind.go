package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// Kind is the kind of a Link, with what that kind alone needs: Dummy, Veth, PeerOf, VLAN, Bond, Bridge, Macvlan or VRF.
type Kind interface {
	// parent names the link that this one lies on, or is the other end of; "" for none.
	parent() string

	// make returns what netlink is to be asked for.
	make(netlink.LinkAttrs) (netlink.Link, error)

	String() string
}

// Dummy is a netdev that swallows what it is sent.
type Dummy struct{}

// Veth is one end of a pair. The other end, Peer, starts in the same namespace; a Link of kind PeerOf moves and configures it.
type Veth struct{ Peer string }

// PeerOf is the other end of the Veth link of that name.
type PeerOf struct{ Veth string }

// VLAN is a VLAN on a parent.
type VLAN struct {
	Parent string
	ID     int
}

// Bond is a bond; the links that name it as their Master are its slaves. Mode is the kernel's name: balance-rr, active-backup,
// balance-xor, broadcast, 802.3ad, balance-tlb or balance-alb.
type Bond struct{ Mode string }

// Bridge is a bridge; the links that name it as their Master are its ports.
type Bridge struct{}

// Macvlan is a macvlan on a parent, which may be in another namespace. Mode is bridge, private, vepa or passthru; "" is bridge.
type Macvlan struct {
	Parent string
	Mode   string
}

// VRF is a virtual routing and forwarding device with its routing table; the links that name it as their Master belong to it.
type VRF struct{ Table uint32 }

func (Dummy) parent() string     { return "" }
func (Veth) parent() string      { return "" }
func (k PeerOf) parent() string  { return k.Veth }
func (k VLAN) parent() string    { return k.Parent }
func (Bond) parent() string      { return "" }
func (Bridge) parent() string    { return "" }
func (k Macvlan) parent() string { return k.Parent }
func (VRF) parent() string       { return "" }

func (Dummy) String() string     { return "dummy" }
func (k Veth) String() string    { return "veth with peer " + k.Peer }
func (k PeerOf) String() string  { return "peer of " + k.Veth }
func (k VLAN) String() string    { return fmt.Sprintf("vlan %d on %s", k.ID, k.Parent) }
func (k Bond) String() string    { return "bond " + k.Mode }
func (Bridge) String() string    { return "bridge" }
func (k Macvlan) String() string { return fmt.Sprintf("macvlan %s on %s", k.Mode, k.Parent) }
func (k VRF) String() string     { return fmt.Sprintf("vrf with table %d", k.Table) }

func (Dummy) make(a netlink.LinkAttrs) (netlink.Link, error) {
	return &netlink.Dummy{LinkAttrs: a}, nil
}

func (k Veth) make(a netlink.LinkAttrs) (netlink.Link, error) {
	v := netlink.NewVeth(a)
	v.PeerName = k.Peer
	return v, nil
}

// make is not called: the kernel made the peer together with its Veth.
func (k PeerOf) make(netlink.LinkAttrs) (netlink.Link, error) {
	return nil, fmt.Errorf("no link %s to be the peer of", k.Veth)
}

func (k VLAN) make(a netlink.LinkAttrs) (netlink.Link, error) {
	return &netlink.Vlan{LinkAttrs: a, VlanId: k.ID, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}, nil
}

func (k Bond) make(a netlink.LinkAttrs) (netlink.Link, error) {
	mode := netlink.StringToBondMode(k.Mode)
	if mode == netlink.BOND_MODE_UNKNOWN {
		return nil, fmt.Errorf("there is no bond mode %q", k.Mode)
	}
	b := netlink.NewLinkBond(a)
	b.Mode = mode
	b.Miimon = 100 // milliseconds: without it a bond takes no notice of a slave that goes down
	return b, nil
}

func (Bridge) make(a netlink.LinkAttrs) (netlink.Link, error) {
	return &netlink.Bridge{LinkAttrs: a}, nil
}

func (k Macvlan) make(a netlink.LinkAttrs) (netlink.Link, error) {
	modes := map[string]netlink.MacvlanMode{
		"":         netlink.MACVLAN_MODE_BRIDGE,
		"bridge":   netlink.MACVLAN_MODE_BRIDGE,
		"private":  netlink.MACVLAN_MODE_PRIVATE,
		"vepa":     netlink.MACVLAN_MODE_VEPA,
		"passthru": netlink.MACVLAN_MODE_PASSTHRU,
	}
	mode, ok := modes[k.Mode]
	if !ok {
		return nil, fmt.Errorf("there is no macvlan mode %q", k.Mode)
	}
	return &netlink.Macvlan{LinkAttrs: a, Mode: mode}, nil
}

func (k VRF) make(a netlink.LinkAttrs) (netlink.Link, error) {
	return &netlink.Vrf{LinkAttrs: a, Table: k.Table}, nil
}
