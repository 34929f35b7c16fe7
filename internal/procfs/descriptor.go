package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// Descriptor is one open file of a process.
type Descriptor struct {
	FD int
	// Path is the file's name at the time, in the process's own mount namespace
	// if that is not ours.
	Path string
	// Dev is the device number (st_rdev) of a device file; unknown for others.
	Dev rdma.Opt[uint64]
}

// Deleted tells whether the name is gone from its directory, as that of a
// device is while it leaves.
func (d Descriptor) Deleted() bool { return strings.HasSuffix(d.Path, deleted) }

// Name returns the last part of the path: "uverbs0".
func (d Descriptor) Name() string { return filepath.Base(strings.TrimSuffix(d.Path, deleted)) }

const deleted = " (deleted)"

// Descriptors lists the files that a process has open and whose path is wanted.
// The path is asked for first and alone, so that no file system is touched that
// may have lost its server. It returns [ErrGone] if the process has ended and
// fs.ErrPermission if it may not be looked into.
func (f FS) Descriptors(pid int, wanted func(path string) bool) ([]Descriptor, error) {
	all, seen, err := f.descriptorsIn(strconv.Itoa(pid)+"/fd", wanted)
	if err != nil || seen > 0 {
		return all, wrapDescriptors(pid, err)
	}
	// Where the first thread has ended, its siblings keep the files.
	if text, err := f.read(pid, "stat"); err == nil {
		if p, err := parseStat(text); err == nil && p.Threads > 1 {
			return f.descriptorsOfThreads(pid, wanted)
		}
	}
	return nil, nil
}

func wrapDescriptors(pid int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("list descriptors of process %d: %w", pid, err)
}

func (f FS) descriptorsOfThreads(pid int, wanted func(string) bool) ([]Descriptor, error) {
	dir := strconv.Itoa(pid) + "/task"
	threads, err := f.numbers(dir)
	if err != nil {
		return nil, wrapDescriptors(pid, err)
	}
	for _, tid := range threads {
		all, seen, err := f.descriptorsIn(fmt.Sprintf("%s/%d/fd", dir, tid), wanted)
		if err == nil && seen > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// descriptorsIn also tells how many there are, wanted or not.
func (f FS) descriptorsIn(dir string, wanted func(string) bool) (all []Descriptor, seen int, err error) {
	fds, err := f.numbers(dir)
	for _, fd := range fds {
		name := filepath.Join(f.root, dir, strconv.Itoa(fd))
		path, err := os.Readlink(name)
		if err != nil || !wanted(path) {
			continue // it has been closed, or is of no interest
		}
		all = append(all, Descriptor{FD: fd, Path: path, Dev: deviceNumber(name)})
	}
	return all, len(fds), err
}

// deviceNumber follows a link of /proc, which leads to the file itself whatever
// became of its name.
func deviceNumber(name string) rdma.Opt[uint64] {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return rdma.Opt[uint64]{}
	}
	return rdma.Known(unix.Mkdev(st.Rdev_major, st.Rdev_minor))
}

// kcmpFile is KCMP_FILE (include/uapi/linux/kcmp.h).
const kcmpFile = 0

// SameFile tells whether descriptor a of process p and descriptor b of process q
// are one open file, as after fork(2), dup(2) or a pass through a Unix socket:
// it is closed when the last of them is. It takes the right to trace both
// processes, and a kernel with kcmp(2); in a tree that is not this host's it
// cannot be told.
func (f FS) SameFile(p, a, q, b int) (bool, error) {
	if !f.live {
		return false, fmt.Errorf("compare descriptors in %s: %w", f.root, errors.ErrUnsupported)
	}
	r, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(p), uintptr(q), kcmpFile, uintptr(a), uintptr(b), 0)
	if errno != 0 {
		return false, fmt.Errorf("compare descriptor %d of process %d with %d of %d: %w", a, p, b, q, errno)
	}
	return r == 0, nil
}
