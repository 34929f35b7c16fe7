package gidrules

import (
	"fmt"
	"strings"

	"github.com/ibctl/ibctl/internal/netstate"
)

// noMAC stands in where there is none.
var noMAC netstate.MAC

// whyBelongs says by which rule an address is the port's.
func (j *judged) whyBelongs(s Source) string {
	r := j.expect.Netdev
	switch under := s.Netdev.real(); {
	case s.Netdev == r:
		return fmt.Sprintf("%s is the network interface behind %s", r.Display(), j.name())
	case under == r:
		return fmt.Sprintf("%s is a VLAN of %s, which is behind %s", s.Netdev.Display(), r.Display(), j.name())
	default:
		return fmt.Sprintf("%s lies on %s, which is behind %s: %s", s.Netdev.Display(), r.Display(), j.name(), arrows(s.Chain))
	}
}

// arrows writes a chain from the port's netdev up: "eth0 < bond0 < bond0.100".
func arrows(chain []*Node) string { return strings.Join(chainNames(chain), " < ") }

// explainCause says in a sentence how a cause works; n is the netdev concerned.
func (j *judged) explainCause(c Cause, n *Node) []string {
	r := j.expect.Netdev.Display()
	bond := "the bond"
	for _, b := range j.bondsAround(n) {
		bond = b.Display()
	}
	texts := map[Cause]string{
		Full:                "every slot for addresses is in use: the kernel drops what has no room",
		NotFollowed:         "it is no Ethernet interface: the kernel entered its addresses when the device was made, and does not follow their changes",
		BondMACOnInactive:   fmt.Sprintf("the MAC of %s changed while %s was not its active slave, and the kernel changes the default GID of the active one alone", bond, r),
		MACChanged:          "the MAC changed, and the kernel did not follow: until Linux 7.0 it misses changes while a device is registered",
		SilentFailover:      fmt.Sprintf("%s fails over without telling: in balance-tlb and balance-alb there is no event that would move its GIDs", bond),
		LastSlaveDown:       fmt.Sprintf("%s has no active slave any more, so that %s does not count as inactive; but nothing told the kernel to add the addresses", bond, r),
		ReleasedSlave:       fmt.Sprintf("%s left a bond: its addresses were entered again, its default GID was not", r),
		OwnBondFailover:     "a failover of the bond that the port itself is on deletes its default GID, and adds only those of bonds above",
		FailoverTookUppers:  fmt.Sprintf("a failover of %s deleted the addresses of all that lies on it from the ports that are not active, also those that the rules leave there", bond),
		OneWayUnlinked:      "its GIDs went all at once, as they do when there was a second way up to it and that was cut",
		NestedBond:          "bonds lie upon bonds here: linking and unlinking one enters and deletes GIDs of all that lies above, whichever slave is active",
		LinkedWhileInactive: fmt.Sprintf("%s is not the active slave of %s: its addresses were entered here by the linking of a netdev, which asks only at the netdev linked", r, bond),
		NetdevGone:          "the netdev went before the kernel came round to its address, which it then entered for good",
		AddressGone:         "the address went, and its going was not heeded for this port",
		NotUpper:            fmt.Sprintf("it does not lie on %s, or no more", r),
		Lost:                "the GID was deleted though the address is there: as a rule with another address of the same GID, such as one with another prefix length",
	}
	if text, ok := texts[c]; ok {
		return []string{text}
	}
	return nil
}

// bondsAround returns the bonds on the way to n.
func (j *judged) bondsAround(n *Node) []*Node {
	if n == nil || !j.expect.reach.has(n) {
		return nil
	}
	return j.expect.reach.bonds(n)
}
