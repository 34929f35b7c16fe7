package sysfs

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxWhole bounds what is read of one file of a copied tree, in octets.
const maxWhole = 64 << 20

// Whole reads a file that may be longer than a page: one of the kernel's few, or one
// that a copied tree has beside those of sysfs. Of a copied tree it reads regular
// files alone, does not follow links out of it, and gives up on what is longer than
// 64 MiB. Errors wrap those of package io/fs.
func (fs *FS) Whole(name string) ([]byte, error) {
	if fs.tree == nil {
		return os.ReadFile(fs.root + "/" + name)
	}
	f, err := fs.tree.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: %w", name, errNotRegular)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxWhole+1))
	if err == nil && len(text) > maxWhole {
		err = fmt.Errorf("read %s: longer than %d octets", name, maxWhole)
	}
	return text, err
}
