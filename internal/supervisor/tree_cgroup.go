package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup puts the plugin into a control group of its own (cgroup v2). Its
// processes may leave their session and group, but not this one.
type cgroup struct {
	path string
	note string // the file that remembers path
	dir  *os.File
}

// newCgroup makes a control group. It fails where there is no right to make one,
// or no cgroup.kill (Linux 5.14).
func newCgroup(path, note string) (*cgroup, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	c := &cgroup{path: path, note: note}
	var err error
	if _, err := os.Stat(c.file("cgroup.kill")); err != nil {
		c.release()
		return nil, err
	}
	if c.dir, err = os.Open(path); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

func (c *cgroup) guarantee() Guarantee { return GuaranteeCgroup }

func (c *cgroup) prepare(attr *syscall.SysProcAttr) error {
	base(attr)
	attr.UseCgroupFD = true
	attr.CgroupFD = int(c.dir.Fd())
	return nil
}

func (c *cgroup) kill(p *os.Process) {
	_ = os.WriteFile(c.file("cgroup.kill"), []byte("1"), 0)
	_ = p.Kill()
}

func (c *cgroup) bury(p *os.Process) (*os.ProcessState, error) {
	state, err := p.Wait()
	if err != nil {
		return nil, err
	}
	return state, killCgroup(c.path)
}

func (c *cgroup) release() {
	if c.dir != nil {
		_ = c.dir.Close()
	}
	// A group that is busy all the same stays noted, for the next one's sweep.
	if unix.Rmdir(c.path) == nil {
		_ = os.Remove(c.note)
	}
}

func (c *cgroup) file(name string) string { return filepath.Join(c.path, name) }

// killCgroup ends whatever lives in a control group, and returns when nothing
// does. Zombies do not count as living there.
func killCgroup(path string) error {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		populated, err := cgroupPopulated(path)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
			return nil // removed by somebody else, which takes an empty one
		}
		if err != nil || !populated {
			return err
		}
		if err := os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0); err != nil {
			return err
		}
		time.Sleep(pause)
	}
}

func cgroupPopulated(path string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(path, "cgroup.events"))
	if err != nil {
		return false, err
	}
	return bytes.Contains(text, []byte("populated 1")), nil
}

// ownCgroup returns the directory of the control group that this process is in.
func ownCgroup() (string, error) {
	mount, err := cgroupMount()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return filepath.Join(mount, path), nil
		}
	}
	return "", fmt.Errorf("find own control group: %w", errors.ErrUnsupported)
}

// cgroupMount returns where cgroup v2 is mounted; not at a fixed place on hosts
// that have both versions.
func cgroupMount() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if ok && len(fields) >= 5 && strings.HasPrefix(after, "cgroup2 ") {
			return fields[4], nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("find cgroup v2: %w", errors.ErrUnsupported)
}
