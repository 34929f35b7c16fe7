package cm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ibctl/ibctl/core/rdma"
)

// sgid is the entry of a GID table that a connection uses as its source.
type sgid struct {
	index rdma.Opt[uint32]
	typ   rdma.GIDType
}

// errNoEntry says that no entry fits, so the table has changed, or the rule is
// not the kernel's.
var errNoEntry = errors.New("no entry of the GID table fits")

// sourceGID works out which entry of the table the kernel takes. The connection
// manager does not tell; it takes the first that has the GID, the type that is
// the port's default, and the netdev that the route leads to
// (drivers/infiniband/core/cma.c, cma_validate_port).
func (c *Client) sourceGID(ctx context.Context, dev *device, port uint32, gid rdma.GID, netdev string) (sgid, []rdma.Warning) {
	info := dev.Info()
	object := fmt.Sprintf("%s/%d", info.Name, port)
	table, warnings, err := dev.dir.GIDs(ctx, info.Name, port, false)
	if err != nil {
		return sgid{}, append(warnings, rdma.Warning{Object: object, Op: "read GID table", Err: err})
	}
	typ, err := c.defaultType(info, port, table.Entries)
	if err != nil {
		warnings = append(warnings, rdma.Warning{Object: object, Op: "read default RoCE mode, took " + string(typ), Err: err})
	}
	index, ok := firstEntry(table.Entries, gid, typ, netdev)
	if !ok {
		return sgid{typ: typ}, append(warnings, rdma.Warning{Object: object, Op: "find GID index", Err: errNoEntry})
	}
	return sgid{rdma.Known(index), typ}, warnings
}

// firstEntry returns the index of the entry that the kernel takes. InfiniBand's
// have no netdev.
func firstEntry(entries []rdma.GIDEntry, gid rdma.GID, typ rdma.GIDType, netdev string) (uint32, bool) {
	for _, e := range entries {
		if e.GID == gid && e.Type == typ && (e.Netdev == "" || e.Netdev == netdev) {
			return e.Index, true
		}
	}
	return 0, false
}

// defaultType returns the GID type that connections of the port use. Reading it
// takes root; without, it is the kernel's own default, and the error says why.
func (c *Client) defaultType(info rdma.Device, port uint32, entries []rdma.GIDEntry) (rdma.GIDType, error) {
	if linkLayer(info, port) == rdma.LinkLayerInfiniBand {
		return rdma.GIDTypeIBOrRoCEv1, nil
	}
	types := map[rdma.GIDType]bool{}
	for _, e := range entries {
		types[e.Type] = true
	}
	if len(types) == 1 && len(entries) > 0 {
		return entries[0].Type, nil // there is no choice
	}
	mode, err := c.roceMode(info.Name, port)
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

func (c *Client) roceMode(device string, port uint32) (mode rdma.GIDType, err error) {
	d, err := c.configfs.Open(device)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.RoCEMode(port)
}

func linkLayer(info rdma.Device, port uint32) rdma.LinkLayer {
	for _, p := range info.Ports {
		if p.Number == port {
			return p.LinkLayer
		}
	}
	return ""
}
