package libenv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// Port is a port of an HCA, as libraries see it.
type Port struct {
	Device string
	Number uint32
	Link   rdma.LinkLayer
	State  rdma.Opt[rdma.PortState]
	Netdev string
	// Table holds the entries of the GID table that are in use, by index.
	Table []rdma.GIDEntry
	// Unread is set where the table could not be read: Table says nothing then.
	Unread bool
}

// Name returns the port as NCCL and UCX write it: mlx5_0:1.
func (p Port) Name() string { return fmt.Sprintf("%s:%d", p.Device, p.Number) }

// Entry returns the slot of that index; an empty one for none.
func (p Port) Entry(index uint32) rdma.GIDEntry {
	i, found := slices.BinarySearchFunc(p.Table, index, func(e rdma.GIDEntry, index uint32) int { return int(int64(e.Index) - int64(index)) })
	if !found {
		return rdma.GIDEntry{Device: p.Device, Port: p.Number, Index: index}
	}
	return p.Table[i]
}

// slots is one more than the highest index in use.
func (p Port) slots() uint32 {
	if len(p.Table) == 0 {
		return 0
	}
	return p.Table[len(p.Table)-1].Index + 1
}

func (p Port) roce() bool { return p.Link != rdma.LinkLayerInfiniBand }

// active tells whether a library would use the port at all. One of unknown state
// may be.
func (p Port) active() bool {
	state, known := p.State.Get()
	return !known || state == rdma.PortActive
}

// Choice is a port and the GID that is to be used on it.
type Choice struct {
	Port  Port
	Entry rdma.GIDEntry
}

// names lists ports for people and for variables.
func names(choices []Choice) string {
	var all []string
	for _, c := range choices {
		all = append(all, c.Port.Name())
	}
	return strings.Join(all, ",")
}

// describe is an entry in a few words: "10.0.0.1 (RoCE v2, eth0)".
func describe(e rdma.GIDEntry) string {
	if e.Empty() {
		return "an empty slot"
	}
	var parts []string
	for _, part := range []string{string(e.Type), e.Netdev} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return fmt.Sprintf("%v (%s)", e.GID.Addr(), strings.Join(parts, ", "))
}
