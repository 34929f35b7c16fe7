package rocev1

import "github.com/ibctl/ibctl/core/rdma"

// RDMAGID reads a GID; unknown if there is none.
func RDMAGID(octets []byte) rdma.Opt[rdma.GID] {
	if len(octets) != len(rdma.GID{}) {
		return rdma.Opt[rdma.GID]{}
	}
	return rdma.Known(rdma.GID(octets))
}

// NewGIDs writes slots down.
func NewGIDs(entries []rdma.GIDEntry) []*GID {
	var out []*GID
	for _, e := range entries {
		out = append(out, NewGID(e))
	}
	return out
}
