package sourcegid

import (
	"cmp"

	"github.com/ibctl/ibctl/core/rdma"
)

// Class says how well a GID is suited for connections, where nothing but its port
// is given. The order is UCX's (uct_ib_device_select_gid): RoCE v2 before v1, IPv4
// before IPv6, and link-local last.
type Class uint8

// The classes, the best one first.
const (
	V2IPv4 Class = iota
	V2IPv6
	V2LinkLocal
	V1IPv4
	V1IPv6
	V1LinkLocal
	// InfiniBand's GIDs differ in nothing but their index.
	InfiniBand
	// Unusable is an entry that names no host, or of unknown type.
	Unusable
)

var classTexts = [...]string{
	"RoCE v2 with an IPv4 address", "RoCE v2 with a routable IPv6 address", "RoCE v2 with a link-local address",
	"RoCE v1 with an IPv4 address", "RoCE v1 with an IPv6 address", "RoCE v1 with a link-local address",
	"InfiniBand", "of an unknown type",
}

// String returns the class in words.
func (c Class) String() string { return classTexts[c] }

// ClassOf returns the class of an entry of a port.
func ClassOf(e rdma.GIDEntry, link rdma.LinkLayer) Class {
	switch {
	case e.Empty():
		return Unusable
	case link == rdma.LinkLayerInfiniBand:
		return InfiniBand
	case e.Type == rdma.GIDTypeRoCEv2:
		return V2IPv4 + family(e.GID)
	case e.Type == rdma.GIDTypeIBOrRoCEv1:
		return V1IPv4 + family(e.GID)
	}
	return Unusable
}

// family is what a GID's address adds to the class of its type.
func family(g rdma.GID) Class {
	_, v4 := g.IPv4()
	switch {
	case v4:
		return 0
	case !g.IsLinkLocal():
		return 1
	}
	return 2
}

// Compare orders the entries of one port: the one to prefer comes first.
func Compare(a, b rdma.GIDEntry, link rdma.LinkLayer) int {
	return cmp.Or(cmp.Compare(ClassOf(a, link), ClassOf(b, link)), cmp.Compare(a.Index, b.Index))
}
