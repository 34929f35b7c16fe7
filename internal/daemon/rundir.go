package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrRunning says that there is a daemon already.
var ErrRunning = errors.New("another ibctl serve is running")

// runDir is the directory that only one daemon at a time may use. The lock on it
// ends with the process, however that ends.
type runDir struct {
	path string
	lock *os.File
}

// takeRunDir makes and locks the directory.
func takeRunDir(path string) (*runDir, error) {
	if err := makeShared(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	d := &runDir{path, f}
	if err := d.take(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *runDir) take() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.lock.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstat", Path: d.path, Err: err}
	}
	if st.Uid != uint32(os.Geteuid()) || st.Mode&0o077 != 0 {
		return fmt.Errorf("%s: not a private directory of user %d (owner %d, mode %04o)", d.path, os.Geteuid(), st.Uid, st.Mode&0o7777)
	}
	err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w: it holds %s", ErrRunning, d.path)
	}
	return err
}

// makeShared makes a directory that others get through, whatever the umask.
func makeShared(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chmod(path, 0o755)
	}
	return err
}

// isThere tells whether the directory that is locked is still the one that a second
// daemon would lock. Where that cannot be seen, it is.
func (d *runDir) isThere() bool {
	there, err := os.Stat(d.path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	ours, err := d.lock.Stat()
	return err != nil || os.SameFile(ours, there)
}

// retake makes the directory again that somebody has removed, or takes the one
// that is in its place. ErrRunning says that another daemon has it.
func (d *runDir) retake() error {
	again, err := takeRunDir(d.path)
	if err == nil {
		d.close()
		d.lock = again.lock
	}
	return err
}

func (d *runDir) join(name string) string { return filepath.Join(d.path, name) }

func (d *runDir) close() { _ = d.lock.Close() }
