package host

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// Detail says how much to read of a device.
type Detail uint8

const (
	// Full reads everything, character devices included.
	Full Detail = iota
	// Summary leaves out what a list does not show: descriptions, board,
	// hardware revision, capability masks, character devices.
	Summary
)

// Options say which host to look at, and how closely.
type Options struct {
	// Root is a directory that holds a copy of /sys, to be looked at instead of
	// this host. Nothing of this host enters the answers then.
	Root   string
	Detail Detail
}

// Host reads the RDMA devices of one host. Its methods may be called by any
// number of goroutines at once.
type Host struct {
	fs     *sysfs.FS
	live   bool
	detail Detail
	netdev netdevs

	mu   sync.Mutex
	conn *nldev.Conn // nil: see netlink
	noNL error       // why there is none, if there should be
}

// Open opens this host, in the network namespace of the calling thread, or a
// copied tree. That there is no RDMA shows when it is asked for devices.
func Open(opts Options) (*Host, error) {
	if opts.Root != "" {
		fs, err := sysfs.Open(opts.Root)
		if err != nil {
			return nil, err
		}
		return &Host{fs: fs, detail: opts.Detail, netdev: treeNetdevs{fs}}, nil
	}
	h := &Host{fs: sysfs.Live(), live: true, detail: opts.Detail}
	h.netdev = treeNetdevs{h.fs}
	if own, err := openNetdevs(); err == nil {
		h.netdev = own
	}
	h.netlink()
	return h, nil
}

// HasDevices tells whether there may be devices on this host, or in a copied tree,
// at the price of one look: it does not say which of them a network namespace sees.
func HasDevices(root string) bool {
	fs := sysfs.Live()
	if root != "" {
		var err error
		if fs, err = sysfs.Open(root); err != nil {
			return false
		}
		defer fs.Close()
	}
	names, err := fs.Devices()
	return err == nil && len(names) > 0
}

// netlink returns the connection to nldev, or nil where it is missing and sysfs
// must do alone: in a copied tree, on an old kernel, where the process may not
// have it. The RDMA core may be loaded while a daemon waits for it, so each
// call tries anew.
func (h *Host) netlink() *nldev.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil || !h.live {
		return h.conn
	}
	conn, err := nldev.Dial()
	if h.conn = conn; errors.Is(err, nldev.ErrUnavailable) {
		err = nil
	}
	h.noNL = err
	return conn
}

// Close frees what Open opened.
func (h *Host) Close() error {
	err := errors.Join(h.fs.Close(), h.netdev.close())
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != nil {
		err = errors.Join(err, h.conn.Close())
	}
	return err
}

// names lists the devices as far as the list itself tells: with nldev that is
// most of what there is to know of them, with sysfs the name.
func (h *Host) names(ctx context.Context) ([]rdma.Device, []rdma.Warning, error) {
	return h.namesBy(ctx, (*nldev.Conn).Devices)
}

// namesOnce is names, but may leave out a device when another goes meanwhile; two
// lists that agree do not.
func (h *Host) namesOnce(ctx context.Context) ([]rdma.Device, []rdma.Warning, error) {
	return h.namesBy(ctx, (*nldev.Conn).DevicesOnce)
}

func (h *Host) namesBy(ctx context.Context, ask func(*nldev.Conn, context.Context) ([]nldev.Device, error)) ([]rdma.Device, []rdma.Warning, error) {
	nl := h.netlink()
	if nl == nil {
		names, err := h.fs.Devices()
		devices := make([]rdma.Device, len(names))
		for i, name := range names {
			devices[i].Name = name
		}
		return devices, h.degraded(), err
	}
	list, err := ask(nl, ctx)
	if err != nil && !errors.Is(err, nldev.ErrMalformed) {
		return nil, nil, fmt.Errorf("list RDMA devices: %w", err)
	}
	devices := make([]rdma.Device, len(list))
	for i, d := range list {
		devices[i] = d.Device
	}
	var warnings []rdma.Warning
	if err != nil {
		warnings = append(warnings, rdma.Warning{Object: "RDMA devices", Op: "list", Err: err})
	}
	return devices, warnings, nil
}

func (h *Host) degraded() []rdma.Warning {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noNL == nil {
		return nil
	}
	return []rdma.Warning{{Object: "RDMA devices", Op: "list over netlink, not sysfs", Err: h.noNL}}
}
