package gidrules

// Cause is why a table differs from what the rules say. Only the state of the
// moment is known, not how it came about: a cause is the one that leads there.
type Cause string

// The causes.
const (
	// NoCause is given where a finding is its own.
	NoCause Cause = ""
	// Full: the table had no slot left for the address.
	Full Cause = "table_full"
	// NotFollowed: the kernel follows Ethernet netdevs alone; addresses of others
	// are entered when the device is made, and not looked at again.
	NotFollowed Cause = "not_followed"
	// BondMACOnInactive: a bond's MAC changed while the port's netdev was an
	// inactive slave of it, for which the event is not heeded.
	BondMACOnInactive Cause = "bond_mac_changed_on_inactive_slave"
	// MACChanged: another change of a MAC that was not followed.
	MACChanged Cause = "mac_changed"
	// SilentFailover: balance-tlb and balance-alb change the active slave without
	// the event that moves GIDs.
	SilentFailover Cause = "failover_without_event"
	// LastSlaveDown: a bond lost its last active slave, so that the port's netdev
	// is no inactive slave any more; nothing adds the bond's addresses then.
	LastSlaveDown Cause = "bond_without_active_slave"
	// ReleasedSlave: a netdev that leaves a bond gets its addresses entered again,
	// but not its default GID.
	ReleasedSlave Cause = "released_from_bond"
	// OwnBondFailover: the failover of a bond that is the port's own netdev, or
	// lies beneath it, deletes the default GID and does not add it again.
	OwnBondFailover Cause = "failover_of_own_bond"
	// FailoverTookUppers: a failover deletes the addresses of all that lies on the
	// bond from the inactive ports, also those that the rules leave there.
	FailoverTookUppers Cause = "failover_took_uppers"
	// OneWayUnlinked: of two ways that lead up to a netdev one was cut, which
	// deletes its GIDs although the other is left.
	OneWayUnlinked Cause = "one_of_two_ways_unlinked"
	// NestedBond: linking a netdev adds addresses of all that lies above on
	// inactive ports too, and takes and gives default GIDs.
	NestedBond Cause = "nested_bond"
	// LinkedWhileInactive: addresses of a bond entered on an inactive port.
	LinkedWhileInactive Cause = "entered_on_inactive_slave"
	// NetdevGone: the netdev of the entry is no more; the event of its end came
	// before that of its address.
	NetdevGone Cause = "netdev_gone"
	// AddressGone: the address is no more, and its end was not heeded.
	AddressGone Cause = "address_gone"
	// NotUpper: the netdev does not lie on the port's, or no more.
	NotUpper Cause = "not_an_upper"
	// Lost: the address is there, and its GID was deleted: as a rule together with
	// another address that has the same GID, such as one with another prefix
	// length.
	Lost Cause = "lost"
)

// causeOfMissingAddress finds out why the GID of an address is not there.
func (p *judged) causeOfMissingAddress(s Source) Cause {
	n, r := s.Netdev, p.expect.Netdev
	under := n.real()
	below := p.bondsBelow(n)
	switch {
	case p.free == 0:
		return Full
	case !n.followed():
		return NotFollowed
	case under != nil && under.IsBond() && under != r && isSilent(under):
		return SilentFailover
	case r.isInactiveIn(below):
		return FailoverTookUppers
	case len(p.expect.reach.bonds(n)) > 1:
		return NestedBond
	case under != nil && under.IsBond() && under != r && under.Bond.HasPrimary() && under.Bond.Active == 0:
		return LastSlaveDown
	case hasSilent(below):
		return SilentFailover
	case p.expect.reach.twoWays(n), p.expect.reach.byMaster(n) && p.allMissing(n):
		return OneWayUnlinked
	}
	return Lost
}

// allMissing tells whether none of the addresses of n is in the table: a way that
// is cut takes them all.
func (p *judged) allMissing(n *Node) bool {
	for _, e := range p.Entries {
		if e.Netdev == n.Name && n.hasGID(e.GID) {
			return false
		}
	}
	return true
}

// bondsBelow returns the bonds on the way to n that are not the device beneath
// its VLANs: the ones whose state the rules do not ask for.
func (p *judged) bondsBelow(n *Node) []*Node {
	var found []*Node
	for _, b := range p.expect.reach.bonds(n) {
		if b != n.real() {
			found = append(found, b)
		}
	}
	return found
}

func (n *Node) isInactiveIn(bonds []*Node) bool {
	for _, b := range bonds {
		if n.inactive(b) {
			return true
		}
	}
	return false
}

// isSilent tells whether a bond changes its active slave without the event.
func isSilent(n *Node) bool {
	return n.IsBond() && (n.Bond.Mode == "balance-tlb" || n.Bond.Mode == "balance-alb")
}

func hasSilent(bonds []*Node) bool {
	for _, b := range bonds {
		if isSilent(b) {
			return true
		}
	}
	return false
}

// followed tells whether the kernel heeds events of the netdev.
func (n *Node) followed() bool { return n.Link == 1 }

// causeOfMissingDefault finds out why there is no default GID.
func (p *judged) causeOfMissingDefault(s Source) Cause {
	r := p.expect.Netdev
	switch {
	case !r.followed():
		return NotFollowed
	case s.Netdev == r && r.restsOnBond():
		return OwnBondFailover
	case s.Netdev == r:
		return ReleasedSlave
	case len(p.expect.Defaults) > 1 || len(p.expect.reach.bonds(s.Netdev)) > 1:
		return NestedBond
	}
	return OneWayUnlinked
}

// restsOnBond tells whether n is a bond or lies on one.
func (n *Node) restsOnBond() bool {
	for _, below := range n.down() {
		if below.IsBond() {
			return true
		}
	}
	return false
}

// causeOfStaleDefault finds out why a default GID of n is there that should not be.
func (p *judged) causeOfStaleDefault(n *Node) Cause {
	switch {
	case n == nil:
		return NetdevGone
	case !n.followed():
		return NotFollowed
	case n.IsBond() && n != p.expect.Netdev && p.expect.reach.has(n):
		return BondMACOnInactive
	case p.expect.reach.has(n):
		return MACChanged
	}
	return NotUpper
}

// causeOfStaleAddress finds out why the GID of an address is there that should
// not be; has tells whether n has the address.
func (p *judged) causeOfStaleAddress(n *Node, has bool) Cause {
	r := p.expect.Netdev
	switch {
	case n == nil:
		return NetdevGone
	case !n.followed():
		return NotFollowed
	case r.inactive(n.real()) && p.expect.reach.has(n) && isSilent(n.real()):
		return SilentFailover
	case r.inactive(n.real()) && p.expect.reach.has(n) && len(p.expect.reach.bonds(n)) > 1:
		return NestedBond
	case r.inactive(n.real()) && p.expect.reach.has(n):
		return LinkedWhileInactive
	case !p.expect.reach.has(n):
		return NotUpper
	case !has:
		return AddressGone
	}
	return LinkedWhileInactive
}
