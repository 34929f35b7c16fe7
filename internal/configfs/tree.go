package configfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultRoot is where the tree is while configfs is mounted and rdma_cm loaded.
const DefaultRoot = "/sys/kernel/config/rdma_cm"

var (
	// ErrUnavailable: the tree is not there.
	ErrUnavailable = errors.New("configfs is not mounted, or the module rdma_cm not loaded")
	// ErrNoDevice: no device has that name, or it has gone; or no such port.
	ErrNoDevice = errors.New("no such RDMA device or port")
	// ErrUnsupported: the port does not know the RoCE mode.
	ErrUnsupported = errors.New("the port does not support it")
)

// Tree is the rdma_cm directory.
type Tree struct{ root, notes string }

// Live returns this host's.
func Live() Tree { return Tree{DefaultRoot, NoteDir} }

// New returns a tree at root, of which nothing is noted.
func New(root string) Tree { return Tree{root: root} }

// Device is one device's directory, from Open to Close.
type Device struct {
	name string
	dir  string
	made bool // by us, so that it is ours to remove
	note note
}

// Open makes the directory of the device with that name, or finds it made. The
// caller must Close what it returns. Errors: ErrUnavailable, ErrNoDevice, and
// fs.ErrPermission for whoever is not root.
func (t Tree) Open(device string) (*Device, error) {
	if !validName(device) {
		return nil, fmt.Errorf("%q: %w", device, ErrNoDevice)
	}
	d := &Device{name: device, dir: filepath.Join(t.root, device), note: t.write(device)}
	err := os.Mkdir(d.dir, 0o755)
	if err == nil {
		d.made = true
		return d, nil
	}
	d.note.discard()
	switch {
	case errors.Is(err, fs.ErrExist):
		return d, nil
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", ErrUnavailable, errno(err))
	case errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("%w: %w", ErrNoDevice, errno(err))
	default:
		err = errno(err)
	}
	return nil, fmt.Errorf("connection manager defaults of %s: make %s: %w", device, d.dir, err)
}

// validName keeps a name from leading out of the tree.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// Close removes the directory if Open made it. It is no error if it is gone.
func (d *Device) Close() error {
	if !d.made {
		return nil
	}
	d.made = false
	defer d.note.discard()
	if err := os.Remove(d.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("connection manager defaults of %s: remove %s: %w", d.name, d.dir, errno(err))
	}
	return nil
}

// errno strips the path that os puts around an error: ours names the object.
func errno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}

// meaning gives the errnos of reads and writes their sentinels. A directory that
// went meanwhile is a device that nobody can ask about any more.
func meaning(err error) error {
	switch e := errno(err); {
	case errors.Is(e, unix.ENODEV), errors.Is(e, unix.ENOENT):
		return fmt.Errorf("%w: %w", ErrNoDevice, e)
	default:
		return e
	}
}
