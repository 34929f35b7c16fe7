package drained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// Dir is where entries are. It does not survive a reboot, and neither do they.
const Dir = "/run/ibctl/drained"

// ErrNoIndex says that a device cannot be remembered, for the kernel gave no
// index of it.
var ErrNoIndex = errors.New("the kernel tells no index of it, so that it could not be told from the next one of that name")

// Entry is one drained device.
type Entry struct {
	Index uint32 `json:"index"`
	// Name is what it was called when it was drained.
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	// Core identifies the RDMA core's stay in the kernel: indices begin anew with
	// the next.
	Core uint64 `json:"core"`
}

// Store is the directory of entries.
type Store struct {
	dir  string
	core string // a file that lives as long as the RDMA core does
}

// Open returns the store in a directory, which need not exist; [Dir] but for
// tests. It opens nothing.
func Open(dir string) Store { return Store{dir, "/sys/module/ib_core"} }

// Put remembers a device from now on.
func (s Store) Put(d rdma.Device) error {
	index, ok := d.Index.Get()
	if !ok {
		return fmt.Errorf("remember that %s is drained: %w", d.Name, ErrNoIndex)
	}
	if err := s.Restore(Entry{Index: index, Name: d.Name, Since: time.Now().UTC(), Core: s.epoch()}); err != nil {
		return fmt.Errorf("remember that %s is drained: %w", d.Name, err)
	}
	return nil
}

// Restore writes an entry as Get returned it.
func (s Store) Restore(e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.write(s.path(e.Index), append(text, '\n'))
}

// write makes a file that is there in full or not at all.
func (s Store) write(path string, text []byte) error {
	if err := s.makeDir(); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// makeDir makes the directory readable for all, whatever the umask: who cannot
// read what is drained must leave all devices alone.
func (s Store) makeDir() error {
	above := filepath.Dir(s.dir)
	if err := os.MkdirAll(above, 0o755); err != nil {
		return err
	}
	if err := open(above, 0o011); err != nil {
		return err
	}
	err := os.Mkdir(s.dir, 0o755)
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = open(s.dir, 0o055)
	}
	return err
}

// open lets others into a directory.
func open(dir string, bits fs.FileMode) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode()&bits == bits {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()|bits)
}

// Forget ends what Put began; it is no error if there is nothing to forget.
func (s Store) Forget(index uint32) error {
	err := os.Remove(s.path(index))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Get tells whether a device is drained, and since when. A device without an
// index never is. With an error nobody knows: the device is to be left alone, and
// [Store.Forget] ends that.
func (s Store) Get(d rdma.Device) (Entry, bool, error) {
	index, ok := d.Index.Get()
	if !ok {
		return Entry{}, false, nil
	}
	text, err := os.ReadFile(s.path(index))
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, false, nil
	}
	var e Entry
	if err == nil {
		if err = json.Unmarshal(text, &e); err != nil {
			err = fmt.Errorf("%s: %w", s.path(index), err)
		}
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("read whether %s is drained: %w", d.Name, err)
	}
	return e, e.Core == s.epoch(), nil
}

func (s Store) path(index uint32) string {
	return filepath.Join(s.dir, strconv.FormatUint(uint64(index), 10))
}

// epoch tells one stay of the RDMA core in the kernel from the next: sysfs gives
// each directory a number that it does not use again (fs/kernfs). Without the
// directory the core is part of the kernel, and stays.
func (s Store) epoch() uint64 {
	var st unix.Stat_t
	if unix.Stat(s.core, &st) != nil {
		return 0
	}
	return st.Ino
}
