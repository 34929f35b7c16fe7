package gidrules

import (
	"net/netip"

	"github.com/ibctl/ibctl/core/rdma"
)

// absent explains a GID that is not in the table.
func (x *explainer) absent(gid rdma.GID) {
	if x.lost(gid) || x.displaced(gid) || x.elsewhereAddress(gid) || x.localOfPeer(gid) || x.ofMAC(gid) {
		return
	}
	x.decide(Absent, NoSuchAddress)
	x.say("no network interface has the address %v", gid.Addr())
	if x.world.Partial() {
		x.out.Verdict = Indeterminate
		x.say("not all network namespaces could be seen; root sees more")
	}
}

// lost explains a GID that an audit misses. That of a new MAC is missed where the
// one of the old is still there.
func (x *explainer) lost(gid rdma.GID) bool {
	for _, f := range x.findings {
		if f.Kind == Missing && f.GID == rdma.Known(gid) {
			x.fault(AbsentLost, f)
			return true
		}
	}
	for _, s := range x.expect.Defaults {
		for _, f := range x.findings {
			if s.GID == gid && f.Kind == WrongMAC && f.Netdev == s.Netdev.Display() {
				x.fault(AbsentLost, f)
				return true
			}
		}
	}
	return false
}

// displaced explains a default GID that came second.
func (x *explainer) displaced(gid rdma.GID) bool {
	for _, s := range x.expect.Defaults {
		if s.GID != gid {
			continue
		}
		x.netdev(s.Netdev)
		x.decide(Absent, OtherDefault)
		x.say("it would be the default GID of %s, but there is one slot for each type, and another has it", s.Netdev.Display())
		return true
	}
	return false
}

// elsewhereAddress explains an address of a netdev whose addresses are not the
// port's. Of several, one that lies on the port's netdev says most.
func (x *explainer) elsewhereAddress(gid rdma.GID) bool {
	var owner *Node
	for _, n := range x.world.order {
		if n.hasGID(gid) && (owner == nil || !x.expect.reach.has(owner) && x.expect.reach.has(n)) {
			owner = n
		}
	}
	if owner == nil {
		return false
	}
	x.netdev(owner)
	x.say("%s has the address %v", owner.Display(), gid.Addr())
	x.notCarried(owner)
	return true
}

// notCarried says why addresses of n are not the port's.
func (x *explainer) notCarried(n *Node) {
	r := x.expect.Netdev
	switch {
	case n == r:
		x.decide(Absent, VLANPort)
		x.say("%s is itself a VLAN, and the kernel enters addresses of VLANs for the device beneath", r.Display())
	case x.expect.reach.has(n):
		x.decide(Absent, InactiveSlave)
		bond := n.real()
		x.say("%s, behind %s, is an inactive slave of %s (%s)", r.Display(), x.name(), bond.Display(), bond.Bond.Mode)
		if active := bond.active(); active != nil {
			x.say("the active slave is %s: its port has the address", active.Display())
		}
	case n.Ref.Netns != r.Ref.Netns:
		x.decide(Absent, OtherNamespace)
		x.say("that is in %s, and does not lie on %s, which is behind %s and in %s", n.Netns.Label(), r.Display(), x.name(), r.Netns.Label())
	default:
		x.decide(Absent, OtherNetdev)
		x.say("%s is neither behind %s nor does it lie on %s, which is", n.Display(), x.name(), r.Display())
	}
}

// localOfPeer explains one's own address of a point-to-point link.
func (x *explainer) localOfPeer(gid rdma.GID) bool {
	addr := gid.Addr()
	for _, n := range x.world.order {
		for _, a := range n.Addrs {
			if !a.Peer.IsValid() || a.Local != addr || !a.Local.Is4() {
				continue
			}
			x.netdev(n)
			x.decide(Absent, LocalOfPeer)
			x.say("%s has %v, and the kernel enters the address of the other end, %v: see that", n.Display(), a, a.Peer)
			if !x.carries(a.Peer) {
				x.say("for this port it would enter neither")
			}
			return true
		}
	}
	return false
}

func (x *explainer) carries(addr netip.Addr) bool { return len(x.sources(rdma.GIDFromAddr(addr))) > 0 }

// ofMAC explains a link-local GID that would come of a MAC.
func (x *explainer) ofMAC(gid rdma.GID) bool {
	mac, ok := MACOf(gid)
	if !ok {
		return false
	}
	r := x.expect.Netdev
	if r.MAC == rdma.Known(mac) {
		x.netdev(r)
		x.ownMAC()
		return true
	}
	for _, n := range x.world.order {
		if n.MAC == rdma.Known(mac) {
			x.netdev(n)
			x.otherMAC(n)
			return true
		}
	}
	x.decide(Absent, NoSuchMAC)
	x.say("it would be the default GID of the MAC %v, which no network interface has; that of %s is %v", mac, r.Display(), r.MAC.Or(noMAC))
	x.say("a MAC that changed takes its default GID with it")
	return true
}

// ownMAC explains why the default GID of the port's own netdev is not there.
func (x *explainer) ownMAC() {
	r := x.expect.Netdev
	x.decide(Absent, SlaveOfBond)
	x.say("it would be the default GID of %s, which is the slave of a bond: the port has the bond's instead", r.Display())
	if bond := r.master(); bond != nil {
		x.say("%s has the MAC %v", bond.Display(), bond.MAC.Or(noMAC))
	}
}

// otherMAC explains why the link-local GID of another netdev's MAC is not there.
func (x *explainer) otherMAC(n *Node) {
	x.say("it would come of the MAC %v of %s", n.MAC.Or(noMAC), n.Display())
	if x.expect.reach.has(n) && x.expect.carries(n) {
		x.decide(Absent, LinkLocalOff)
		x.say("only the port's own interface and bonds on it give default GIDs, and %s has no such link-local address: IPv6 may be off there, or the interface down", n.Display())
		return
	}
	x.notCarried(n)
}
