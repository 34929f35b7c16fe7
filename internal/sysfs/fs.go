package sysfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const classInfiniband = "class/infiniband"

// FS is a sysfs tree: the directory that holds class/infiniband.
type FS struct {
	root string
	tree *os.Root // of a copied tree; nil for the kernel's own
}

// Live returns this host's sysfs.
func Live() *FS { return &FS{root: "/sys"} }

// Trusted returns the tree at root, read as this host's is: fast, and with trust in
// its links. It is for measurements.
func Trusted(root string) *FS { return &FS{root: root} }

// Open returns a copied tree. The caller closes it.
func Open(root string) (*FS, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &FS{root: root, tree: tree}, nil
}

// Close frees a copied tree; for Live it does nothing.
func (fs *FS) Close() error {
	if fs.tree == nil {
		return nil
	}
	return fs.tree.Close()
}

// Root returns the directory that the tree was opened with.
func (fs *FS) Root() string { return fs.root }

// openDir opens a directory of the tree and follows links, but not out of a
// copied one.
func (fs *FS) openDir(name string) (dir, error) {
	if fs.tree == nil {
		fd, err := unix.Open(fs.root+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
		return dir{fd: fd}, err
	}
	f, err := fs.tree.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return dir{}, withoutPath(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return dir{fd: fd, confined: true}, err
}

// readlink returns the text of a link; "" if name is no link or not there.
func (fs *FS) readlink(name string) (text string) {
	if fs.tree == nil {
		text, _ = os.Readlink(fs.root + "/" + name)
	} else {
		text, _ = fs.tree.Readlink(name)
	}
	return text
}

// Devices lists the names of the devices, sorted. None is no error; no class
// for them is [ErrNoRDMA].
func (fs *FS) Devices() ([]string, error) {
	class, err := fs.openDir(classInfiniband)
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNoRDMA
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path.Join(fs.root, classInfiniband), err)
	}
	defer class.close()
	names, err := class.names()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path.Join(fs.root, classInfiniband), err)
	}
	slices.Sort(names)
	return names, nil
}

// isFileName tells whether a name leads to where it seems to: the kernel gives
// no device one with a slash, or one of dots alone.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// openDevice opens a device's directory.
func (fs *FS) openDevice(name string) (dir, error) {
	if !isFileName(name) {
		return dir{}, ErrNoDevice
	}
	d, err := fs.openDir(classInfiniband + "/" + name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return dir{}, ErrNoDevice
	}
	return d, err
}
