package sysfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// MaxNodeDesc is how many octets a node description can have
// (IB_DEVICE_NODE_DESC_MAX, include/rdma/ib_verbs.h).
const MaxNodeDesc = 64

// SetNodeDesc gives a device another node description, which the fabric sees. It
// needs root. A driver that does not know how answers EOPNOTSUPP, which is EIO on
// some kernels.
func (fs *FS) SetNodeDesc(device, text string) error {
	d, err := fs.openDevice(device)
	if err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	defer d.close()
	fd, err := unix.Openat(d.fd, "node_desc", unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("%s: open node_desc: %w", device, err)
	}
	defer unix.Close(fd)
	n, err := unix.Write(fd, []byte(text))
	if err == nil && n < len(text) {
		err = errors.New("the driver took a part of it")
	}
	if err != nil {
		return fmt.Errorf("%s: write node_desc: %w", device, err)
	}
	return nil
}
