package host

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// netdevs knows network interfaces by name: those of a namespace, or of a
// copied tree.
type netdevs interface {
	mtu(name string) rdma.Opt[uint32]
	index(name string) rdma.Opt[uint32]
	close() error
}

// treeNetdevs reads them from sysfs, which shows the namespace that it was
// mounted in.
type treeNetdevs struct{ fs *sysfs.FS }

func (t treeNetdevs) mtu(name string) rdma.Opt[uint32] {
	_, mtu := t.fs.Netdev(name)
	return mtu
}

func (t treeNetdevs) index(name string) rdma.Opt[uint32] {
	index, _ := t.fs.Netdev(name)
	return index
}

func (treeNetdevs) close() error { return nil }

// ownNetdevs asks the kernel by way of a socket, which stays in the namespace
// that it was made in, whichever thread uses it. It is the one in which nldev
// looks for netdevs.
type ownNetdevs struct{ fd int }

func openNetdevs() (netdevs, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket for netdevs: %w", err)
	}
	return ownNetdevs{fd}, nil
}

func (n ownNetdevs) ask(name string, request uint) rdma.Opt[uint32] {
	answer, err := unix.NewIfreq(name)
	if err != nil || name == "" {
		return rdma.Opt[uint32]{}
	}
	if err := unix.IoctlIfreq(n.fd, request, answer); err != nil {
		return rdma.Opt[uint32]{}
	}
	return rdma.Known(answer.Uint32())
}

func (n ownNetdevs) mtu(name string) rdma.Opt[uint32]   { return n.ask(name, unix.SIOCGIFMTU) }
func (n ownNetdevs) index(name string) rdma.Opt[uint32] { return n.ask(name, unix.SIOCGIFINDEX) }
func (n ownNetdevs) close() error                       { return unix.Close(n.fd) }

// addNetdevs fills in the netdevs of Ethernet ports from the GID table. It is for
// kernels whose nldev does not tell netdevs: one that does, and tells none, means
// that it lies in another namespace, where its name means nothing here.
func (h *Host) addNetdevs(ctx context.Context, d *rdma.Device) (warnings []rdma.Warning) {
	for i := range d.Ports {
		p := &d.Ports[i]
		if p.LinkLayer == rdma.LinkLayerInfiniBand || p.Netdev != "" {
			continue
		}
		name, err := h.fs.PortNetdev(ctx, d.Name, p.Number)
		if err != nil && !errors.Is(err, unix.ENOENT) { // a copy need not have the table
			warnings = append(warnings, rdma.Warning{Object: portName(d, p), Op: "find netdev", Err: err})
		}
		if name != "" {
			p.Netdev, p.NetdevIndex = name, h.netdev.index(name)
		}
	}
	return warnings
}

func portName(d *rdma.Device, p *rdma.Port) string { return fmt.Sprintf("%s/%d", d.Name, p.Number) }
