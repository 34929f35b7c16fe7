// Package sourcegid works out which entry of a port's GID table is the one to use.
//
// For a connection the kernel's connection manager decides, and does not tell; the
// rule is that of drivers/infiniband/core/cma.c: the first entry that has the GID,
// the type that is the port's default, and the netdev that the route leads to.
//
// Where no connection is given, there is an order of preference: see [Class].
//
// Its functions may be called by any number of goroutines at once.
package sourcegid

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
)

// First returns the index of the entry that the kernel takes
// (cma_validate_port). InfiniBand's have no netdev.
func First(entries []rdma.GIDEntry, gid rdma.GID, typ rdma.GIDType, netdev string) (uint32, bool) {
	for _, e := range entries {
		if e.GID == gid && e.Type == typ && (e.Netdev == "" || e.Netdev == netdev) {
			return e.Index, true
		}
	}
	return 0, false
}

// DefaultType returns the GID type that connections of a port use, whose table
// holds entries. Reading it takes root; without, it is the kernel's own default,
// and the error says why.
func DefaultType(tree configfs.Tree, device string, port uint32, link rdma.LinkLayer, entries []rdma.GIDEntry) (rdma.GIDType, error) {
	if link == rdma.LinkLayerInfiniBand {
		return rdma.GIDTypeIBOrRoCEv1, nil
	}
	types := map[rdma.GIDType]bool{}
	for _, e := range entries {
		types[e.Type] = true
	}
	if len(types) == 1 && len(entries) > 0 {
		return entries[0].Type, nil // there is no choice
	}
	mode, err := roceMode(tree, device, port)
	if err == nil {
		return mode, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("only root may: %w", fs.ErrPermission)
	}
	return kernelDefault(types), err
}

// kernelDefault is RoCE v2 where the port has it (cma.c,
// CMA_PREFERRED_ROCE_GID_TYPE).
func kernelDefault(types map[rdma.GIDType]bool) rdma.GIDType {
	if types[rdma.GIDTypeRoCEv2] {
		return rdma.GIDTypeRoCEv2
	}
	return rdma.GIDTypeIBOrRoCEv1
}

func roceMode(tree configfs.Tree, device string, port uint32) (mode rdma.GIDType, err error) {
	d, err := tree.Open(device)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.RoCEMode(port)
}
