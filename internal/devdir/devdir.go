// Package devdir opens the sysfs directory of a device that the kernel knows by
// its index, whatever its name is by then: udev gives new devices other names just
// when clients are added to them.
package devdir

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// attempts is how often a device may be renamed while its directory is opened.
const attempts = 8

// Open opens the directory of the device with that index (core.NoIndex for one
// that is known by its name alone), which was called name when it was last seen.
// Where nldev is not to be had, the name decides; so it does in a captured tree.
// [sysfs.ErrNoDevice] says that it has gone.
func Open(ctx context.Context, fs *sysfs.FS, index uint32, name string) (*sysfs.Device, error) {
	if fs.Root() != sysfs.Live().Root() || index == core.NoIndex {
		return fs.OpenDevice(name)
	}
	conn, err := nldev.Dial()
	if err != nil {
		return fs.OpenDevice(name)
	}
	defer conn.Close()
	return open(fs, name, func() (string, error) {
		now, err := conn.Device(ctx, index)
		return now.Name, err
	})
}

// open opens the directory of the name that the device has before and after.
func open(fs *sysfs.FS, name string, ask func() (string, error)) (*sysfs.Device, error) {
	for range attempts {
		now, err := ask()
		switch {
		case errors.Is(err, nldev.ErrNoDevice):
			return nil, fmt.Errorf("%s: %w: %w", name, sysfs.ErrNoDevice, err)
		case err != nil:
			return fs.OpenDevice(name)
		}
		dir, opened := fs.OpenDevice(now)
		if again, err := ask(); err == nil && again == now {
			return dir, opened
		}
		if opened == nil {
			_ = dir.Close()
		}
	}
	return nil, fmt.Errorf("%s: %w: renamed faster than it can be opened", name, sysfs.ErrNoDevice)
}
