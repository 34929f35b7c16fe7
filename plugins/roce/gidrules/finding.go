package gidrules

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Severity is how bad a finding is, in the order of the exit codes of Nagios.
type Severity int

// The severities.
const (
	OK Severity = iota
	Warning
	Critical
	Unknown
)

var severityNames = [...]string{"ok", "warning", "critical", "unknown"}

// String returns "ok", "warning", "critical" or "unknown".
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("severity %d", int(s))
	}
	return severityNames[s]
}

// Worst returns the worse of two: what is wrong for certain counts more than what
// is not known.
func Worst(a, b Severity) Severity {
	rank := [...]int{OK: 0, Unknown: 1, Warning: 2, Critical: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Kind is what is wrong.
type Kind string

// The kinds of findings.
const (
	// Missing belongs into the table and is not in it.
	Missing Kind = "missing"
	// Stale is in the table and does not belong there.
	Stale Kind = "stale"
	// WrongMAC is a default GID of a MAC that the netdev has no more.
	WrongMAC Kind = "wrong_mac"
	// Duplicate is in the table twice.
	Duplicate Kind = "duplicate"
	// Ambiguous is one IP address that several netdevs or ports have.
	Ambiguous Kind = "ambiguous"
	// V1Only is a port without RoCE v2.
	V1Only Kind = "v1_only"
	// SameSubnet are two ports in one IP subnet.
	SameSubnet Kind = "same_subnet"
	// TableFull is a table without a free slot.
	TableFull Kind = "table_full"
	// Unjudged is a port about which the rules could say nothing.
	Unjudged Kind = "unjudged"
)

// Finding is one thing that is wrong with a port's table.
type Finding struct {
	Kind     Kind
	Severity Severity
	// GID, Type and Netdev are of the entry that is there, or should be; Netdev is
	// as Node.Display has it.
	GID    rdma.Opt[rdma.GID]
	Type   rdma.GIDType
	Netdev string
	// Index is the slot, if the entry is there.
	Index rdma.Opt[uint32]
	Cause Cause
	// Evidence is what was seen, Consequence what comes of it, in sentences.
	Evidence    []string
	Consequence string
	// Mend are commands, to be run in this order. Where there is none, there is
	// nothing that helps by itself.
	Mend []string
	// Chain are the netdevs from the port's own up to that of the entry.
	Chain []string
	// With are other ports or slots that it is about: "mlx5_1/1", "mlx5_1/1/3".
	With []string
}

func chainNames(chain []*Node) []string {
	var names []string
	for _, n := range chain {
		names = append(names, n.Display())
	}
	return names
}
