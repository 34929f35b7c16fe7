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

// NoteDir is where a process notes, as root, which directories it has made: should
// it be killed before it removes one, the next one does. It lies beside ibctl's
// other files that do not outlive a boot.
const NoteDir = "/run/ibctl/rdma_cm"

// note is a file that names a directory, and is locked for as long as who made
// that is alive.
type note struct{ file *os.File }

// write notes that the directory of a device is about to be made. A note that
// cannot be written is none: it is only for when we are killed.
func (t Tree) write(device string) note {
	if t.notes == "" || os.MkdirAll(t.notes, 0o700) != nil {
		return note{}
	}
	f, err := os.CreateTemp(t.notes, device+"@")
	if err != nil {
		return note{}
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil { // somebody sweeps, and takes it for left over
		_ = f.Close()
		return note{}
	}
	return note{f}
}

// discard takes the note back.
func (n note) discard() {
	if n.file != nil {
		_ = os.Remove(n.file.Name())
		_ = n.file.Close()
	}
}

// Sweep removes the directories that processes made and did not remove before
// they ended.
func (t Tree) Sweep() error {
	entries, err := os.ReadDir(t.notes)
	if t.notes == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for what was left in %s: %w", t.root, err)
	}
	var errs []error
	for _, e := range entries {
		if at := strings.LastIndex(e.Name(), "@"); at > 0 && validName(e.Name()[:at]) {
			errs = append(errs, t.sweep(e.Name()[:at], filepath.Join(t.notes, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// sweep removes one directory, if nobody is alive who has it noted.
func (t Tree) sweep(device, path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is done with
	}
	if err != nil {
		return err
	}
	left := note{f}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return f.Close()
	}
	err = os.Remove(filepath.Join(t.root, device))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = f.Close()
		return fmt.Errorf("remove what was left of %s: %w", device, errno(err))
	}
	left.discard()
	return nil
}
