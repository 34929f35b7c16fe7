package sysfs

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
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
