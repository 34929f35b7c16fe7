package sysfs

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// PortNetdev returns the netdev of the first GID that has one, which is the
// port's own, or its bond's, as long as the port has its default GID; "" if no
// GID has one. It is for kernels whose nldev does not tell the port's netdev.
// The name is one of the namespace that the netdev lies in.
func (fs *FS) PortNetdev(ctx context.Context, device string, port uint32) (name string, err error) {
	d, err := fs.OpenDevice(device)
	if err != nil {
		return "", err
	}
	defer d.Close()
	r, err := d.openGIDs(device, port)
	if err != nil {
		return "", err
	}
	defer r.close()
	if r.ndevs.fd < 0 {
		return "", nil
	}
	// The lowest slot is in use where any is, as a rule, and spares a list of a copy's.
	if text, err := r.ndevs.readSlot(0, r.buf[:]); err == nil && len(text) > 0 {
		return string(text), nil
	}
	err = r.eachSlot(ctx, func(slot int) (more bool, err error) {
		text, err := r.ndevs.readSlot(slot, r.buf[:])
		name = string(text)
		switch {
		case errors.Is(err, unix.ENOENT):
			return r.ndevs.confined, nil
		case errors.Is(err, unix.ENODEV):
			return false, ErrVanished
		}
		return name == "", nil
	})
	return name, err
}

// Netdev reads the index and the MTU of a netdev of the tree's namespace. What
// the tree does not hold is unknown.
func (fs *FS) Netdev(name string) (index, mtu rdma.Opt[uint32]) {
	if !isFileName(name) {
		return index, mtu
	}
	dir, err := fs.openDir("class/net/" + name)
	if err != nil {
		return index, mtu
	}
	defer dir.close()
	r := reader{fs: fs, dir: dir}
	readOpt(&r, &index, "ifindex", parseDecimal)
	readOpt(&r, &mtu, "mtu", parseDecimal)
	return index, mtu
}

// Instance identifies the device that has the name now: another one of that
// name has another instance, a renamed one keeps its own. It is the inode
// number of the device's directory.
func (fs *FS) Instance(name string) (uint64, error) {
	dir, err := fs.openDevice(name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	defer dir.close()
	var st unix.Stat_t
	if err := unix.Fstat(dir.fd, &st); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return st.Ino, nil
}

// Master returns the netdev that one is a port of, such as a bridge, and whether
// that is a bond; "" if there is none.
func (fs *FS) Master(netdev string) (name string, bond bool) {
	if !isFileName(netdev) {
		return "", false
	}
	name = baseName(fs.readlink("class/net/" + netdev + "/master"))
	if name == "" {
		return "", false
	}
	d, err := fs.openDir("class/net/" + name + "/bonding")
	if err == nil {
		d.close()
	}
	return name, err == nil
}
