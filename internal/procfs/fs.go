package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrGone says that the process has ended.
var ErrGone = errors.New("process has ended")

// FS is a proc tree.
type FS struct {
	root string
	live bool
}

// Live returns this host's /proc.
func Live() FS { return FS{"/proc", true} }

// Open returns the tree in a directory.
func Open(root string) FS { return FS{root: root} }

// PIDs lists the processes, ascending.
func (f FS) PIDs() ([]int, error) {
	pids, err := f.numbers("")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return pids, nil
}

// numbers lists the entries of a directory that are numbers, ascending.
func (f FS) numbers(dir string) ([]int, error) {
	d, err := os.Open(filepath.Join(f.root, dir))
	if err != nil {
		return nil, meaning(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, meaning(err)
	}
	var all []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

func (f FS) path(pid int, file string) string {
	return filepath.Join(f.root, strconv.Itoa(pid), file)
}

// read returns a file of a process.
func (f FS) read(pid int, file string) ([]byte, error) {
	text, err := os.ReadFile(f.path(pid, file))
	if err != nil {
		return nil, fmt.Errorf("read %s of process %d: %w", file, pid, meaning(err))
	}
	return text, nil
}

// meaning replaces the path that os puts around an error, and what the kernel
// says of a process that is no more.
func meaning(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// initialPIDNamespace is the inode of the first PID namespace
// (include/linux/proc_ns.h, PROC_PID_INIT_INO).
const initialPIDNamespace = "pid:[4026531836]"

// WholeHost tells whether all processes of the host are in the tree: it is not
// that of a PID namespace, and not mounted to hide other users' processes.
func (f FS) WholeHost() (bool, error) {
	ns, err := os.Readlink(filepath.Join(f.root, "self/ns/pid"))
	if err != nil {
		return false, fmt.Errorf("read own PID namespace: %w", meaning(err))
	}
	_, err = os.Stat(f.path(1, ""))
	return ns == initialPIDNamespace && err == nil, nil
}
