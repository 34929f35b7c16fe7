package cm

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sourcegid"
)

// sgid is the entry of a GID table that a connection uses as its source.
type sgid struct {
	index rdma.Opt[uint32]
	typ   rdma.GIDType
}

// errNoEntry says that no entry fits, so the table has changed, or the rule is
// not the kernel's.
var errNoEntry = errors.New("no entry of the GID table fits")

// sourceGID works out which entry of the table the kernel takes.
func (c *Client) sourceGID(ctx context.Context, dev *device, port uint32, gid rdma.GID, netdev string) (sgid, []rdma.Warning) {
	info := dev.Info()
	object := fmt.Sprintf("%s/%d", info.Name, port)
	table, warnings, err := dev.dir.GIDs(ctx, info.Name, port, false)
	if err != nil {
		return sgid{}, append(warnings, rdma.Warning{Object: object, Op: "read GID table", Err: err})
	}
	typ, err := sourcegid.DefaultType(c.configfs, info.Name, port, linkLayer(info, port), table.Entries)
	if err != nil {
		warnings = append(warnings, rdma.Warning{Object: object, Op: "read default RoCE mode, took " + string(typ), Err: err})
	}
	index, ok := sourcegid.First(table.Entries, gid, typ, netdev)
	if !ok {
		return sgid{typ: typ}, append(warnings, rdma.Warning{Object: object, Op: "find GID index", Err: errNoEntry})
	}
	return sgid{rdma.Known(index), typ}, warnings
}

func linkLayer(info rdma.Device, port uint32) rdma.LinkLayer {
	for _, p := range info.Ports {
		if p.Number == port {
			return p.LinkLayer
		}
	}
	return ""
}
