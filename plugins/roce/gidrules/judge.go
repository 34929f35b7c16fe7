package gidrules

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

func (j *judged) name() string { return fmt.Sprintf("%s/%d", j.Device, j.Number) }

func (j *judged) slot(e rdma.GIDEntry) string { return fmt.Sprintf("%s/%d", j.name(), e.Index) }

// add notes a finding about a GID of a netdev.
func (j *judged) add(f Finding, gid rdma.GID, n *Node) {
	f.GID = rdma.Known(gid)
	if n != nil {
		f.Netdev = n.Display()
		if f.Chain == nil && j.expect.reach.has(n) {
			f.Chain = chainNames(j.expect.reach.chain(n))
		}
	}
	j.found = append(j.found, f)
}

func (j *judged) unjudged() Finding {
	return Finding{
		Kind: Unjudged, Severity: Unknown,
		Evidence:    []string{"the network interface behind " + j.name() + " is not in any network namespace that could be seen"},
		Consequence: "nothing can be said of what belongs into its table",
	}
}

func (j *judged) missingAddress(s Source, t rdma.GIDType) {
	f := Finding{Kind: Missing, Severity: Critical, Type: t, Cause: j.causeOfMissingAddress(s),
		Evidence:    []string{fmt.Sprintf("%s has the address %v", s.Netdev.Display(), s.Addr), j.whyBelongs(s)},
		Consequence: fmt.Sprintf("no connection of %s can use %v: neither by its index nor through the connection manager", j.name(), s.GID.Addr())}
	f.Evidence = append(f.Evidence, j.explainCause(f.Cause, s.Netdev)...)
	f.Mend = j.mendMissing(f.Cause, s.Netdev)
	j.add(f, s.GID, s.Netdev)
}

func (j *judged) missingDefault(s Source, t rdma.GIDType) {
	f := Finding{Kind: Missing, Severity: Warning, Type: t, Cause: j.causeOfMissingDefault(s),
		Evidence:    []string{fmt.Sprintf("%s has the MAC %v, and the slot of the default GID is empty", s.Netdev.Display(), s.Netdev.MAC.Or(noMAC))},
		Consequence: fmt.Sprintf("%s has no default GID: what takes index 0 for granted fails, also where all addresses are gone", j.name())}
	f.Evidence = append(f.Evidence, j.explainCause(f.Cause, s.Netdev)...)
	f.Mend = j.mendMissing(f.Cause, s.Netdev)
	j.add(f, s.GID, s.Netdev)
}

func (j *judged) staleDefault(e rdma.GIDEntry) {
	n := j.owner(e)
	f := Finding{Kind: Stale, Severity: Warning, Type: e.Type, Index: rdma.Known(e.Index), Cause: j.causeOfStaleDefault(n), Netdev: e.Netdev,
		Consequence: fmt.Sprintf("%s answers to a link-local address that nothing on this host has any more", j.name())}
	if n != nil {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s has the MAC %v now", n.Display(), n.MAC.Or(noMAC)))
	}
	if mac, ok := MACOf(e.GID); ok {
		f.Evidence = append([]string{fmt.Sprintf("%s holds the default GID of the MAC %v, for %s", j.slot(e), mac, e.Netdev)}, f.Evidence...)
	}
	if n != nil && j.expect.reach.has(n) {
		f.Kind = WrongMAC
	}
	f.Evidence = append(f.Evidence, j.explainCause(f.Cause, n)...)
	f.Mend = j.mendStale(f.Cause, n)
	j.unsure(&f, n)
	j.add(f, e.GID, n)
}

func (j *judged) staleAddress(e rdma.GIDEntry) {
	n := j.owner(e)
	has := n != nil && n.hasGID(e.GID)
	f := Finding{Kind: Stale, Severity: Critical, Type: e.Type, Index: rdma.Known(e.Index), Cause: j.causeOfStaleAddress(n, has), Netdev: e.Netdev,
		Evidence:    []string{fmt.Sprintf("%s holds %v of %s", j.slot(e), e.GID.Addr(), e.Netdev)},
		Consequence: fmt.Sprintf("what uses index %d of %s sends from an address whose answers do not come back to this port", e.Index, j.name())}
	switch {
	case n == nil:
		f.Evidence = append(f.Evidence, "there is no network interface "+e.Netdev)
	case !has:
		f.Evidence = append(f.Evidence, n.Display()+" has no such address")
	default:
		f.Evidence = append(f.Evidence, n.Display()+" has this address, and the rules do not bring it here")
	}
	f.Evidence = append(f.Evidence, j.explainCause(f.Cause, n)...)
	f.Mend = j.mendStale(f.Cause, n)
	j.unsure(&f, n)
	j.add(f, e.GID, n)
}

// unsure takes back what would be said for certain of a netdev that may be in a
// namespace which could not be seen.
func (j *judged) unsure(f *Finding, n *Node) {
	if j.world.Partial() && (n == nil || !j.expect.reach.has(n)) {
		f.Severity = Unknown
		f.Evidence = append(f.Evidence, "not all network namespaces could be seen; root sees more")
		f.Mend = nil
	}
}

func (j *judged) duplicate(e rdma.GIDEntry, copies []rdma.GIDEntry) {
	f := Finding{Kind: Duplicate, Severity: Warning, Type: e.Type, Index: rdma.Known(e.Index),
		Evidence:    []string{fmt.Sprintf("%s holds what other slots hold, too", j.slot(e))},
		Consequence: "which of them a connection gets is left to chance", Mend: j.Rebuild}
	for _, c := range copies {
		if c.Index != e.Index {
			f.With = append(f.With, j.slot(c))
		}
	}
	j.add(f, e.GID, j.owner(e))
}

func (j *judged) tableFull() {
	if j.Slots == 0 || j.free > 0 {
		return
	}
	j.found = append(j.found, Finding{Kind: TableFull, Severity: Critical,
		Evidence:    []string{fmt.Sprintf("all %d slots of %s are in use or reserved for default GIDs", j.Slots, j.name())},
		Consequence: "the next address of this port gets no GID; the kernel logs \"unable to add gid\" and goes on",
	})
}

func (j *judged) v1Only() {
	if len(j.types) != 1 || j.types[0] != rdma.GIDTypeIBOrRoCEv1 {
		return
	}
	j.found = append(j.found, Finding{Kind: V1Only, Severity: Warning, Type: rdma.GIDTypeIBOrRoCEv1,
		Evidence:    []string{"no GID of " + j.name() + " is of type RoCE v2"},
		Consequence: "its packets have no IP header: no router passes them on, and peers with RoCE v2 do not understand them",
	})
}

func (n *Node) hasGID(gid rdma.GID) bool {
	for _, a := range n.Addrs {
		if GIDOf(a) == gid {
			return true
		}
	}
	return false
}
