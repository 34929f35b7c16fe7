package cm

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/iproute"
	"github.com/ibctl/ibctl/internal/nldev"
)

// lookAhead refuses a question that would lead onto a device which the client is
// not attached to. The kernel binds an id to a device before it says which; for
// one that was removed from the client and waits to be unregistered, that would
// break the promise of Remove. So where there are such devices, their GID tables
// are looked at first.
func (c *Client) lookAhead(ctx context.Context, q question) error {
	strangers, err := c.strangers(ctx)
	if err != nil || len(strangers) == 0 {
		return err
	}
	route, err := iproute.Lookup(q.source.Addr(), q.destination.Addr())
	if err != nil || !route.Source.IsValid() {
		return nil // the kernel will say so, and bind to nothing
	}
	for _, device := range strangers {
		if c.serves(ctx, device, rdma.GIDFromAddr(route.Source), route.Netdev) {
			return notAttachedError(device.Name)
		}
	}
	return nil
}

// strangers lists the devices that the kernel has and the client does not drive.
type stranger = nldev.Device

func (c *Client) strangers(ctx context.Context) ([]stranger, error) {
	conn, err := nldev.Dial()
	if errors.Is(err, nldev.ErrUnavailable) {
		return nil, nil // no RDMA, or a kernel whose ucma names no device either
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	devices, err := conn.Devices(ctx)
	if err != nil {
		return nil, err
	}
	var strangers []stranger
	for _, d := range devices {
		if _, ours := c.fleet.has(d.Index.Or(0)); !ours {
			strangers = append(strangers, d)
		}
	}
	return strangers, nil
}

// serves tells whether the kernel might choose the device for an address of the
// netdev: by its GID, as on RoCE, or by the netdev itself, as on InfiniBand and
// iWARP.
func (c *Client) serves(ctx context.Context, device stranger, gid rdma.GID, netdev string) bool {
	if netdev != "" {
		owner := filepath.Join(c.sysfs.Root(), "class/net", netdev, "device/infiniband", device.Name)
		if _, err := os.Stat(owner); err == nil {
			return true
		}
	}
	return c.hasGID(ctx, device, gid)
}

// hasGID tells whether a port of the device has the GID. A table that can't be
// read is taken for one that has it not: the device is on its way out.
func (c *Client) hasGID(ctx context.Context, device stranger, gid rdma.GID) bool {
	dir, err := c.sysfs.OpenDevice(device.Name)
	if err != nil {
		return false
	}
	defer dir.Close()
	for port := range device.PortCount.Or(0) {
		table, _, err := dir.GIDs(ctx, device.Name, port+1, false)
		if err != nil {
			continue
		}
		for _, e := range table.Entries {
			if e.GID == gid {
				return true
			}
		}
	}
	return false
}
