package drained

import (
	"errors"
	"os"
	"path/filepath"
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

func TestStoreDamaged(t *testing.T) {
	s := testStore(t)
	if err := s.Put(device(0, "rxe0")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(0), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(device(0, "rxe0")); err == nil {
		t.Error("a damaged entry is no error")
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
