package gidrules

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Verdict is the short answer to a question about a GID.
type Verdict string

// The verdicts.
const (
	Present       Verdict = "present"       // it is there, and belongs there
	PresentStale  Verdict = "present_stale" // it is there, and should not be
	Absent        Verdict = "absent"        // it is not there, and does not belong there
	AbsentLost    Verdict = "absent_lost"   // it is not there, and should be
	EmptySlot     Verdict = "empty_slot"    // nothing is in the slot
	Indeterminate Verdict = "indeterminate" // the rules say nothing, for lack of knowledge
)

// Reason says why, in a word. Where the kernel departed from the rules it is a
// [Cause].
type Reason string

// The reasons by the rules.
const (
	FromMAC        Reason = "default_gid"     // it comes of the MAC
	FromAddress    Reason = "address"         // it comes of an address
	NoSuchAddress  Reason = "no_such_address" // nothing on this host has it
	NoSuchMAC      Reason = "no_such_mac"     // no netdev has the MAC that it would come of
	OtherNetdev    Reason = "other_netdev"    // on a netdev that does not lie on the port's
	OtherNamespace Reason = "other_namespace" // the same, in another network namespace
	InactiveSlave  Reason = "inactive_slave"  // the port's netdev is an inactive slave of the bond that has it
	LocalOfPeer    Reason = "peer_address"    // the kernel enters the other end's address instead
	SlaveOfBond    Reason = "slave_of_bond"   // a bond's default GID is there instead
	OtherDefault   Reason = "other_default"   // another default GID has the slot
	LinkLocalOff   Reason = "no_link_local"   // it would come of the MAC, but the netdev has no such address
	VLANPort       Reason = "port_on_vlan"    // the port is on a VLAN, whose own addresses do not count
	NotInUse       Reason = "not_in_use"      // a slot for addresses that nothing is in
	ReservedSlot   Reason = "reserved_slot"   // a slot for default GIDs that nothing is in
	UnseenNetdev   Reason = "unseen_netdev"   // the port's netdev was not seen
)

// Question is about a GID, or about a slot.
type Question struct {
	GID   rdma.GID
	Index rdma.Opt[uint32]
}

// Explanation answers a Question for one port.
type Explanation struct {
	Verdict Verdict
	Reason  Reason
	// PortNetdev is behind the port.
	PortNetdev string
	GID        rdma.Opt[rdma.GID]
	// Slots are the entries that it is about.
	Slots []rdma.GIDEntry
	// Netdev has the address or the MAC; Chain leads from the port's netdev up to
	// it or, where it does not lie on that, from itself down.
	Netdev string
	Chain  []string
	// Text says it in sentences.
	Text []string
	Mend []string
	// Elsewhere are ports that the GID does belong to.
	Elsewhere []string
}

// Explain says why a GID is in the table of a port, or is not.
func (w *World) Explain(p Port, e Expectation, q Question, others []Carrier) Explanation {
	e.learn(p.Entries[:min(len(Types(p.Entries)), len(p.Entries))])
	x := explainer{world: w, port: p, expect: e, others: others, findings: w.Judge(p, e)}
	if e.Netdev == nil {
		x.out = Explanation{Verdict: Indeterminate, Reason: UnseenNetdev, Text: x.findings[0].Evidence}
		return x.out
	}
	x.out.PortNetdev = e.Netdev.Display()
	if index, ok := q.Index.Get(); ok {
		x.slot(index)
	} else {
		x.gid(q.GID)
	}
	x.portDown()
	return x.out
}

type explainer struct {
	world    *World
	port     Port
	expect   Expectation
	others   []Carrier
	findings []Finding
	out      Explanation
}

func (x *explainer) name() string { return fmt.Sprintf("%s/%d", x.port.Device, x.port.Number) }

func (x *explainer) say(format string, args ...any) {
	x.out.Text = append(x.out.Text, fmt.Sprintf(format, args...))
}

func (x *explainer) decide(v Verdict, r Reason) { x.out.Verdict, x.out.Reason = v, r }

// slot explains one slot.
func (x *explainer) slot(index uint32) {
	for _, e := range x.port.Entries {
		if e.Index == index && !e.Empty() {
			x.out.GID, x.out.Slots = rdma.Known(e.GID), []rdma.GIDEntry{e}
			x.present(e.GID, func(s Source) bool { return s.Netdev.Name == e.Netdev },
				func(f Finding) bool { return f.Index == rdma.Known(index) })
			return
		}
	}
	if int(index) < max(len(Types(x.port.Entries)), 1) {
		x.reserved()
		return
	}
	x.decide(EmptySlot, NotInUse)
	x.say("slot %d of %s is free: an address takes the lowest free slot when it comes, and leaves a hole when it goes", index, x.name())
}

// reserved explains an empty slot of default GIDs.
func (x *explainer) reserved() {
	for _, f := range x.findings {
		if f.Kind == Missing && x.isOwnDefault(f) {
			x.fault(AbsentLost, f)
			return
		}
	}
	x.decide(EmptySlot, ReservedSlot)
	x.say("the slot is kept for a default GID, and none belongs there")
}

func (x *explainer) isOwnDefault(f Finding) bool {
	gid, ok := f.GID.Get()
	for _, s := range x.expect.Defaults {
		if ok && s.GID == gid && f.Netdev == s.Netdev.Display() {
			return true
		}
	}
	return false
}

// gid explains a GID.
func (x *explainer) gid(gid rdma.GID) {
	x.out.GID = rdma.Known(gid)
	for _, e := range x.port.Entries {
		if e.GID == gid {
			x.out.Slots = append(x.out.Slots, e)
		}
	}
	if len(x.out.Slots) > 0 {
		x.present(gid, func(Source) bool { return true }, func(f Finding) bool { return f.GID == x.out.GID && f.Index.IsKnown() })
	} else {
		x.absent(gid)
	}
	x.elsewhere(gid)
}

// present explains a GID that is in the table.
func (x *explainer) present(gid rdma.GID, about func(Source) bool, faulty func(Finding) bool) {
	for _, f := range x.findings {
		if faulty(f) && (f.Kind == Stale || f.Kind == WrongMAC) {
			x.fault(PresentStale, f)
			return
		}
	}
	for _, s := range x.sources(gid) {
		if about(s) && (!s.Default || x.inDefaultSlot()) {
			x.source(s)
			return
		}
	}
	for _, s := range x.sources(gid) {
		if about(s) {
			x.source(s)
			return
		}
	}
	x.decide(Indeterminate, UnseenNetdev)
}

// inDefaultSlot tells whether one of the slots that it is about is for default GIDs.
func (x *explainer) inDefaultSlot() bool {
	types := len(Types(x.port.Entries))
	for _, e := range x.out.Slots {
		if int(e.Index) < types {
			return true
		}
	}
	return false
}

// sources returns by what the GID belongs to the port.
func (x *explainer) sources(gid rdma.GID) []Source {
	var found []Source
	for _, list := range [][]Source{x.expect.Defaults, x.expect.Addresses} {
		for _, s := range list {
			if s.GID == gid {
				found = append(found, s)
			}
		}
	}
	return found
}

// source explains by the rule that brought the GID here.
func (x *explainer) source(s Source) {
	j := judged{Port: x.port, world: x.world, expect: x.expect}
	x.netdev(s.Netdev)
	if s.Default {
		x.decide(Present, FromMAC)
		x.say("the default GID of the MAC %v of %s", s.Netdev.MAC.Or(noMAC), s.Netdev.Display())
		if s.Netdev != x.expect.Netdev {
			x.say("%s is the slave of a bond, whose default GID is there in place of its own, whether it is the active slave or not", x.expect.Netdev.Display())
		}
		return
	}
	x.decide(Present, FromAddress)
	x.say("%s has the address %v", s.Netdev.Display(), s.Addr)
	if s.Addr.Peer.IsValid() && s.Addr.Local.Is4() {
		x.say("%v is the other end's address: the kernel enters that, and not %v", s.Addr.Peer, s.Addr.Local)
	}
	x.say("%s", j.whyBelongs(s))
	if under := s.Netdev.real(); under != nil && under.IsBond() && under != x.expect.Netdev {
		x.bondState(under)
	}
}

// bondState says why the rules let a bond's addresses in.
func (x *explainer) bondState(bond *Node) {
	if active := bond.active(); active != nil {
		x.say("%s (%s) has %s as its active slave", bond.Display(), bond.Bond.Mode, active.Display())
		return
	}
	x.say("%s (%s) has no active slave: then all of them carry its addresses", bond.Display(), bond.Bond.Mode)
}

// fault explains by what an audit found.
func (x *explainer) fault(v Verdict, f Finding) {
	x.decide(v, Reason(f.Cause))
	x.out.Netdev, x.out.Chain, x.out.Mend = f.Netdev, f.Chain, f.Mend
	x.out.Text = append(x.out.Text, f.Evidence...)
	if f.Severity == Unknown {
		x.out.Verdict = Indeterminate
	}
}

// netdev notes which netdev it is about, and the way there.
func (x *explainer) netdev(n *Node) {
	x.out.Netdev = n.Display()
	if x.expect.reach.has(n) {
		x.out.Chain = chainNames(x.expect.reach.chain(n))
		return
	}
	x.out.Chain = chainNames(n.down())
}

// down returns the way from n down to what lies on nothing.
func (n *Node) down() []*Node {
	way := []*Node{n}
	for len(n.lowers) > 0 && len(way) < maxNesting {
		n = n.lowers[0]
		way = append(way, n)
	}
	return way
}

// portDown says what is not the reason.
func (x *explainer) portDown() {
	if r := x.expect.Netdev; !r.Up || !r.Running {
		x.say("%s is down, which is not the reason: the kernel fills the table of a port whatever its link does", r.Display())
	}
}

// elsewhere notes the ports that the GID belongs to instead.
func (x *explainer) elsewhere(gid rdma.GID) {
	for _, o := range x.others {
		if o.Name == x.name() {
			continue
		}
		for _, s := range o.Addresses {
			if s.GID == gid {
				x.out.Elsewhere = append(x.out.Elsewhere, o.Name)
				break
			}
		}
	}
}
