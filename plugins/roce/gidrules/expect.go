package gidrules

import (
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// Source is a reason for a GID to be in a port's table: a MAC or an address of a
// netdev, whatever the type of the GID.
type Source struct {
	GID    rdma.GID
	Netdev *Node
	// Default tells whether it is for the slots of default GIDs.
	Default bool
	// Addr is the address, if it is not a default GID.
	Addr netstate.Addr
	// Chain leads from the port's netdev to Netdev.
	Chain []*Node
}

// Expectation is what the rules say of one port.
type Expectation struct {
	// Netdev is the port's; nil if it has none or it was not seen, and then the
	// rules say nothing.
	Netdev *Node
	// Defaults may each have the slots of default GIDs: whichever came first.
	Defaults  []Source
	Addresses []Source
	reach     reach
}

// Expect works out what belongs into the table of a port with the netdev r.
func (w *World) Expect(r netstate.Ref) Expectation {
	from := w.nodes[r]
	if from == nil {
		return Expectation{}
	}
	e := Expectation{Netdev: from, reach: reachOf(from)}
	for _, n := range e.reach.order {
		if n == from && !from.isSlave() || n != from && n.IsBond() {
			e.addDefault(n)
		}
		if e.carries(n) {
			e.addAddresses(n)
		}
	}
	return e
}

// carries tells whether addresses of n, which lies on the port's netdev, belong
// into the port's table.
func (e *Expectation) carries(n *Node) bool {
	under := n.real()
	return under == e.Netdev || n != e.Netdev && !e.Netdev.inactive(under)
}

func (e *Expectation) addDefault(n *Node) {
	if mac, ok := n.MAC.Get(); ok {
		e.Defaults = append(e.Defaults, Source{GID: n.defaultGID(mac), Netdev: n, Default: true, Chain: e.reach.chain(n)})
	}
}

// defaultGID goes by the link-local address of n where that shows a device id, which the
// kernel makes it with in the same way.
func (n *Node) defaultGID(mac netstate.MAC) rdma.GID {
	for _, a := range n.Addrs {
		if gid := GIDOf(a); hasDeviceID(gid, mac) {
			return gid
		}
	}
	return DefaultGID(mac)
}

// learn takes device ids, which netdevs do not show elsewhere, from the default GIDs
// that are in a table. They are for the life of a netdev: what is there is right.
func (e *Expectation) learn(table []rdma.GIDEntry) {
	defaults := slices.Clone(e.Defaults)
	for i, s := range defaults {
		for _, entry := range table {
			if mac, ok := s.Netdev.MAC.Get(); ok && entry.Netdev == s.Netdev.Name && hasDeviceID(entry.GID, mac) {
				defaults[i].GID = entry.GID
			}
		}
	}
	e.Defaults = defaults
}

// addAddresses enters each GID once, though several addresses may stand for it.
func (e *Expectation) addAddresses(n *Node) {
	first := len(e.Addresses)
	var chain []*Node
next:
	for _, a := range n.Addrs {
		gid := GIDOf(a)
		for _, s := range e.Addresses[first:] {
			if s.GID == gid {
				continue next
			}
		}
		if chain == nil {
			chain = e.reach.chain(n)
		}
		e.Addresses = append(e.Addresses, Source{GID: gid, Netdev: n, Addr: a, Chain: chain})
	}
}

// GIDOf returns the GID that the kernel makes of an address: IPv4 goes by
// IFA_ADDRESS, which is the other end's where there is one.
func GIDOf(a netstate.Addr) rdma.GID {
	if a.Local.Is4() && a.Peer.IsValid() {
		return rdma.GIDFromAddr(a.Peer)
	}
	return rdma.GIDFromAddr(a.Local)
}

// DefaultGID returns the default GID that comes of a MAC: its modified EUI-64
// (RFC 4291, appendix A) in fe80::/64.
func DefaultGID(mac netstate.MAC) rdma.GID {
	return rdma.GID{0xfe, 0x80, 8: mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}

// hasDeviceID tells whether a GID is made of a MAC and the id of one of several netdevs
// that share it, as ipvlans do: the id stands in the middle then, and the bit for "made
// by hand" is as in the MAC (include/net/addrconf.h, addrconf_ifid_eui48).
func hasDeviceID(gid rdma.GID, mac netstate.MAC) bool {
	middle := [2]byte{gid[11], gid[12]}
	made := rdma.GID{0xfe, 0x80, 8: mac[0], mac[1], mac[2], middle[0], middle[1], mac[3], mac[4], mac[5]}
	return gid == made && middle != [2]byte{}
}

// MACOf returns the MAC that a default GID came of.
func MACOf(gid rdma.GID) (netstate.MAC, bool) {
	mac := netstate.MAC{gid[8] ^ 2, gid[9], gid[10], gid[13], gid[14], gid[15]}
	return mac, DefaultGID(mac) == gid
}

// Entered counts the addresses that enter the table: not the link-local one that
// is there as the default GID already.
func (e *Expectation) Entered() int {
	n := 0
	for _, a := range e.Addresses {
		if len(e.Defaults) == 0 || a.GID != e.Defaults[0].GID || a.Netdev != e.Defaults[0].Netdev {
			n++
		}
	}
	return n
}
