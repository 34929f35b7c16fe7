package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunDirTooDeep is refused before a plugin fails to make its socket, and one
// that just fits works.
func TestRunDirTooDeep(t *testing.T) {
	base := shortTempDir(t)
	tooDeep := filepath.Join(base, strings.Repeat("d", maxSocketPath))
	if _, err := New(Config{RunDir: tooDeep}); !errors.Is(err, syscall.ENAMETOOLONG) || !strings.Contains(err.Error(), tooDeep) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(tooDeep); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}

	// The supervisor's own directory is "/PID-NUMBER", with up to 10 digits each.
	room := maxSocketPath - len(socketName) - len("/4194304-4294967295") - len(base) - 1
	b := newBench(t, Config{RunDir: filepath.Join(base, strings.Repeat("d", room))})
	for range 5 { // the numbers are random
		if err := b.stop(b.start(b.builtin("good"))); err != nil {
			t.Error(err)
		}
	}
}

func TestRunDirOfOthers(t *testing.T) {
	base := shortTempDir(t)
	if err := os.Chmod(base, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{RunDir: base}); err == nil || !strings.Contains(err.Error(), "not a private directory") {
		t.Errorf("open to all: %v", err)
	}
	if err := os.Chmod(base, 0o700); err != nil {
		t.Fatal(err)
	}
	link := base + "-link"
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	if _, err := New(Config{RunDir: link}); err == nil || !strings.Contains(err.Error(), "not a private directory") {
		t.Errorf("a symbolic link: %v", err)
	}
}

// TestSweep removes what the dead have left, and nothing else.
func TestSweep(t *testing.T) {
	base := shortTempDir(t)
	living, err := New(Config{RunDir: base})
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	dead, fresh := filepath.Join(base, "1-dead"), filepath.Join(base, "1-fresh")
	for _, dir := range []string{dead, fresh} {
		if err := os.MkdirAll(filepath.Join(dir, "plugin-dir1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-time.Hour)
	for _, dir := range []string{dead, living.dir.path} {
		if err := os.Chtimes(dir, past, past); err != nil {
			t.Fatal(err)
		}
	}
	other, err := New(Config{RunDir: base})
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	for path, want := range map[string]bool{dead: false, fresh: true, living.dir.path: true, other.dir.path: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
}

// TestRunDirRemoved is made again when the next plugin starts, locked like before.
func TestRunDirRemoved(t *testing.T) {
	base := filepath.Join(shortTempDir(t), "ibctl", "plugins")
	b := newBench(t, Config{RunDir: base})
	for range 2 {
		if err := os.RemoveAll(filepath.Dir(base)); err != nil {
			t.Fatal(err)
		}
		if err := b.stop(b.start(b.builtin("good"))); err != nil {
			t.Error(err)
		}
	}
	other, err := New(Config{RunDir: base, Sole: true}) // it sweeps what nobody has locked
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if left, err := os.ReadDir(base); err != nil || len(left) != 2 {
		t.Errorf("directories %v, %v", left, err)
	}
}

// TestRunDirIsInAPublicPlace, whatever the umask: records that others read lie
// beside it.
func TestRunDirIsInAPublicPlace(t *testing.T) {
	base := filepath.Join(shortTempDir(t), "ibctl", "plugins")
	old := syscall.Umask(0o077)
	s, err := New(Config{RunDir: base})
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for dir, want := range map[string]os.FileMode{filepath.Dir(base): 0o755, base: 0o700} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
}
