package sysfs

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Device holds the directory of one device open. It is that device's for good:
// a rename does not matter, and once the device is removed it stays empty,
// whoever has the name by then. It is no hold on the device, which can be
// removed at any time.
//
// Its methods may be called by any number of goroutines at once, but not during
// or after Close.
type Device struct{ dir dir }

// OpenDevice opens the directory of the device that has the name now. It returns
// [ErrNoDevice] if there is none.
func (fs *FS) OpenDevice(name string) (*Device, error) {
	d, err := fs.openDevice(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Device{d}, nil
}

// Close closes the directory.
func (d *Device) Close() error {
	d.dir.close()
	return nil
}

// PortState reads the logical state of a port as it is now; unknown if it can't be
// read.
func (d *Device) PortState(port uint32) rdma.Opt[rdma.PortState] {
	var buf [64]byte
	text, err := d.dir.read(fmt.Sprintf("ports/%d/state", port), buf[:])
	if err != nil {
		return rdma.Opt[rdma.PortState]{}
	}
	state, err := parsePortState(text)
	if err != nil {
		return rdma.Opt[rdma.PortState]{}
	}
	return rdma.Known(state)
}
