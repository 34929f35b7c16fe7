package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what fits into sockaddr_un, less the terminating zero.
const maxSocketPath = 107

// socketName is the longest that comes after the run directory: our directory for
// one plugin, go-plugin's in it and the socket, each with a random number.
const socketName = "/4294967295/plugin-dir4294967295/plugin4294967295"

// settled is how old another supervisor's directory must be before the sweep
// looks at it: it has long locked it by then. With [Config.Sole] there is none.
const settled = 10 * time.Second

// runDir is the directory, of mode 0700, in which the plugins of one supervisor
// make their sockets. A socket is in it only from a plugin's start to ibctl's
// connect, so that little is left behind even by SIGKILL; that little is swept
// by the next supervisor, which knows by the lock what is in use.
type runDir struct {
	path string

	mu   sync.Mutex
	lock *os.File
}

// newRunDir makes the directory beneath the first base that will do.
func newRunDir(bases []string, sole bool) (*runDir, error) {
	var errs []error
	for _, base := range bases {
		d, err := makeRunDir(base, sole)
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("make a directory for plugin sockets: %w", errors.Join(errs...))
}

// runBases are the places to try: the system's, the user's, a temporary one.
func runBases() []string {
	var bases []string
	if os.Geteuid() == 0 {
		bases = append(bases, "/run/ibctl/plugins")
	} else if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		bases = append(bases, filepath.Join(dir, "ibctl", "plugins"))
	}
	return append(bases, filepath.Join(os.TempDir(), fmt.Sprintf("ibctl-%d", os.Geteuid())), fmt.Sprintf("/tmp/ibctl-%d", os.Geteuid()))
}

func makeRunDir(base string, sole bool) (*runDir, error) {
	if err := makeBase(base); err != nil {
		return nil, err
	}
	sweep(base, sole)
	path, err := os.MkdirTemp(base, fmt.Sprintf("%d-", os.Getpid()))
	if err != nil {
		return nil, err
	}
	d := &runDir{path: path}
	if len(path)+len(socketName) > maxSocketPath {
		d.close()
		return nil, fmt.Errorf("%s: %w: a socket in it would have a path of up to %d octets, and %d fit", base, unix.ENAMETOOLONG, len(path)+len(socketName), maxSocketPath)
	}
	if d.lock, err = lockDir(path); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// makeBase makes a base that is ours alone. What it is in may be for others, too:
// there is more in /run/ibctl.
func makeBase(base string) error {
	above := filepath.Dir(base)
	if err := os.MkdirAll(filepath.Dir(above), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(above, 0o755)
	if err == nil {
		err = os.Chmod(above, 0o755) // whatever the umask
	}
	if err == nil || errors.Is(err, os.ErrExist) {
		err = os.Mkdir(base, 0o700)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return checkPrivate(base)
}

// checkPrivate refuses a base that others own or may write: /tmp is everybody's.
func checkPrivate(base string) error {
	info, err := os.Lstat(base)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || st.Uid != uint32(os.Geteuid()) || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: not a private directory of user %d (%v)", base, os.Geteuid(), info.Mode())
	}
	return nil
}

func lockDir(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// sweep removes what supervisors that died have left. What cannot be removed is
// left alone: it is in use, or the next sweep's.
func sweep(base string, sole bool) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !sole && time.Since(info.ModTime()) < settled {
			continue
		}
		path := filepath.Join(base, e.Name())
		if f, err := lockDir(path); err == nil {
			sweepCgroups(path)
			_ = os.RemoveAll(path)
			_ = f.Close()
		}
	}
}

// cgroupNote is the file that remembers a control group until it is released.
func cgroupNote(dir, name string) string { return filepath.Join(dir, "cgroup-"+name) }

// sweepCgroups ends what lives in the control groups that a dead supervisor noted.
func sweepCgroups(dir string) {
	notes, err := filepath.Glob(cgroupNote(dir, "*"))
	if err != nil {
		return
	}
	for _, note := range notes {
		if path, err := os.ReadFile(note); err == nil && killCgroup(string(path)) == nil {
			_ = unix.Rmdir(string(path))
		}
	}
}

// socketDir makes a directory for one plugin's socket. Where somebody has removed
// the directory that it is to be in, that is made again.
func (d *runDir) socketDir() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, err := os.MkdirTemp(d.path, "")
	if !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	if err := d.restore(); err != nil {
		return "", err
	}
	return os.MkdirTemp(d.path, "")
}

// restore makes the directory that was there before. The caller holds mu.
func (d *runDir) restore() error {
	err := makeBase(filepath.Dir(d.path))
	if err == nil {
		err = os.Mkdir(d.path, 0o700)
	}
	if err != nil {
		return err
	}
	lock, err := lockDir(d.path)
	if err != nil {
		return err
	}
	_ = d.lock.Close()
	d.lock = lock
	return nil
}

func (d *runDir) close() {
	_ = os.RemoveAll(d.path)
	if d.lock != nil {
		_ = d.lock.Close()
	}
}
