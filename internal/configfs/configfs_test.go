package configfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// made returns a tree in which somebody else has made the directory of rxe0,
// with the given files in each port.
func made(t *testing.T, ports []int, files map[string]string) Tree {
	t.Helper()
	root := t.TempDir()
	for _, port := range ports {
		dir := filepath.Join(root, "rxe0", "ports", strconv.Itoa(port))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return New(root)
}

func open(t *testing.T, tree Tree, name string) *Device {
	t.Helper()
	d, err := tree.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestReadDefaults(t *testing.T) {
	tree := made(t, []int{1}, map[string]string{fileRoCEMode: "RoCE v2\n", fileTOS: "106\n"})
	d := open(t, tree, "rxe0")
	if mode, err := d.RoCEMode(1); err != nil || mode != rdma.GIDTypeRoCEv2 {
		t.Errorf("mode %q, %v", mode, err)
	}
	if tos, err := d.TOS(1); err != nil || tos != 106 {
		t.Errorf("TOS %d, %v", tos, err)
	}
}

func TestSetDefaults(t *testing.T) {
	tree := made(t, []int{2}, map[string]string{fileRoCEMode: "RoCE v2\n", fileTOS: "0\n"})
	d := open(t, tree, "rxe0")
	if err := errors.Join(d.SetRoCEMode(2, rdma.GIDTypeIBOrRoCEv1), d.SetTOS(2, 255)); err != nil {
		t.Fatal(err)
	}
	mode, err1 := d.RoCEMode(2)
	tos, err2 := d.TOS(2)
	if mode != rdma.GIDTypeIBOrRoCEv1 || tos != 255 || err1 != nil || err2 != nil {
		t.Errorf("mode %q (%v), TOS %d (%v)", mode, err1, tos, err2)
	}
}

func TestUnreadableIsAnErrorAndNeverAZero(t *testing.T) {
	for _, text := range []string{"", "\n", "256\n", "-1\n", "high\n"} {
		tree := made(t, []int{1}, map[string]string{fileTOS: text, fileRoCEMode: "\n"})
		if tos, err := open(t, tree, "rxe0").TOS(1); err == nil {
			t.Errorf("TOS %q became %d", text, tos)
		}
		if mode, err := open(t, tree, "rxe0").RoCEMode(1); err == nil {
			t.Errorf("an empty mode became %q", mode)
		}
	}
}

func TestEmptyModeIsNotWritten(t *testing.T) {
	tree := made(t, []int{1}, map[string]string{fileRoCEMode: "RoCE v2\n"})
	if err := open(t, tree, "rxe0").SetRoCEMode(1, ""); !errors.Is(err, unix.EINVAL) {
		t.Errorf("error %v", err)
	}
}

func TestMissingPort(t *testing.T) {
	d := open(t, made(t, []int{1}, nil), "rxe0")
	if _, err := d.TOS(7); !errors.Is(err, ErrNoDevice) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("read: %v", err)
	}
	if err := d.SetTOS(7, 0); !errors.Is(err, ErrNoDevice) {
		t.Errorf("write: %v", err)
	}
}

func TestOnlyOurOwnDirectoryIsRemoved(t *testing.T) {
	tree := made(t, []int{1}, nil)
	for name, ours := range map[string]bool{"rxe0": false, "rxe1": true} {
		d := open(t, tree, name)
		if !exists(t, filepath.Join(tree.root, name)) {
			t.Fatalf("%s: no directory", name)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if exists(t, filepath.Join(tree.root, name)) == ours {
			t.Errorf("%s: made by us %v, and yet", name, ours)
		}
	}
}

func TestCloseTwiceRemovesOnce(t *testing.T) {
	tree := New(t.TempDir())
	d := open(t, tree, "rxe0")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, tree, "rxe0") // somebody else's now
	if err := d.Close(); err != nil || !exists(t, d.dir) {
		t.Errorf("the second Close took another's directory (%v)", err)
	}
}

func TestCloseWhenSomebodyRemovedIt(t *testing.T) {
	d := open(t, New(t.TempDir()), "rxe0")
	if err := os.Remove(d.dir); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenWithoutTree(t *testing.T) {
	_, err := New(filepath.Join(t.TempDir(), "rdma_cm")).Open("rxe0")
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestNamesStayInTheTree(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b"} {
		if _, err := New(t.TempDir()).Open(name); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
