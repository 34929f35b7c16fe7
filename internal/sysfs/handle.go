package sysfs

import "fmt"

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
