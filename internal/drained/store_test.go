package drained

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

func testStore(t *testing.T) Store {
	core := t.TempDir()
	return Store{filepath.Join(t.TempDir(), "run", "drained"), core}
}

func device(index uint32, name string) rdma.Device {
	return rdma.Device{Index: rdma.Known(index), Name: name}
}

func TestStore(t *testing.T) {
	s := testStore(t)
	is := func(d rdma.Device) bool {
		t.Helper()
		_, drained, err := s.Get(d)
		if err != nil {
			t.Fatal(err)
		}
		return drained
	}
	if is(device(3, "rxe0")) {
		t.Error("drained before Put")
	}
	if err := s.Put(device(3, "rxe0")); err != nil {
		t.Fatal(err)
	}
	if !is(device(3, "renamed")) {
		t.Error("a rename puts it back into service")
	}
	if is(device(4, "rxe0")) || is(rdma.Device{Name: "rxe0"}) {
		t.Error("the next device of that name is drained")
	}
	info, err := os.Stat(s.path(3))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: others cannot read it", info, err)
	}
	if err := errors.Join(s.Forget(3), s.Forget(3)); err != nil {
		t.Fatal(err)
	}
	if is(device(3, "rxe0")) {
		t.Error("drained after Forget")
	}
	if err := s.Put(rdma.Device{Name: "rxe0"}); !errors.Is(err, ErrNoIndex) {
		t.Errorf("Put without an index: %v", err)
	}
}

// TestStoreAfterReload: the RDMA core counts devices from 0 again when it is
// loaded anew.
func TestStoreAfterReload(t *testing.T) {
	s := testStore(t)
	if err := s.Put(device(0, "rxe0")); err != nil {
		t.Fatal(err)
	}
	s.core = t.TempDir()
	if _, drained, err := s.Get(device(0, "rxe0")); drained || err != nil {
		t.Errorf("drained %v, %v", drained, err)
	}
}

// TestUnreadable: what cannot be read is neither drained nor not, and the error says
// which file it is about. Forget ends it.
func TestUnreadable(t *testing.T) {
	s := testStore(t)
	for what, harm := range map[string]func(path string) error{
		"damaged":     func(path string) error { return os.WriteFile(path, []byte("{"), 0o644) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"a loop":      func(path string) error { return os.Symlink(path, path) },
	} {
		d := device(0, "rxe0")
		if err := errors.Join(s.makeDir(), harm(s.path(0))); err != nil {
			t.Fatal(err)
		}
		_, is, err := s.Get(d)
		if is || err == nil || !strings.Contains(err.Error(), "read whether rxe0 is drained") || !strings.Contains(err.Error(), s.path(0)) {
			t.Errorf("%s: %v, %v", what, is, err)
		}
		if err := s.Forget(0); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, is, err := s.Get(d); is || err != nil {
			t.Errorf("%s: forgotten, and then %v, %v", what, is, err)
		}
	}
}

// TestReadableForOthers, though somebody has made the directory above for himself
// alone, and has a strict umask.
func TestReadableForOthers(t *testing.T) {
	s := testStore(t)
	defer unix.Umask(unix.Umask(0o077))
	above := filepath.Dir(s.dir)
	if err := os.MkdirAll(above, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(device(0, "rxe0")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{above: 0o711, s.dir: 0o755, s.path(0): 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, want)
		}
	}
}

func TestLock(t *testing.T) {
	s := testStore(t)
	a, err := s.Lock(device(0, "rxe0"), device(1, "rxe1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(device(2, "rxe2"), device(1, "rxe1")); !errors.Is(err, ErrBusy) || !errors.Is(err, unix.EBUSY) {
		t.Errorf("locked twice: %v", err)
	}
	b, err := s.Lock(device(2, "rxe2")) // the failure has let go of it
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	c, err := s.Lock(device(1, "rxe1"))
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	c.Release()
}
