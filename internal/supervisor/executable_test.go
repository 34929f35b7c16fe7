package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const script = "#!/bin/sh\necho genuine\n"

// TestRefusals: what may not be run is refused with the reason.
func TestRefusals(t *testing.T) {
	sum := sha256.Sum256([]byte(script))
	good := hex.EncodeToString(sum[:])
	tests := []struct {
		what   string
		spoil  func(path string) error
		sum    string
		reason string // empty: it may be run
	}{
		{"good", func(string) error { return nil }, "", ""},
		{"pinned", func(string) error { return nil }, strings.ToUpper(good), ""},
		{"another sum", func(string) error { return nil }, strings.Repeat("0", 64), "has SHA-256 " + good},
		{"group-writable", func(p string) error { return os.Chmod(p, 0o775) }, "", "may be written by group or others (mode 0775)"},
		{"world-writable", func(p string) error { return os.Chmod(p, 0o757) }, "", "may be written by group or others (mode 0757)"},
		{"not executable", func(p string) error { return os.Chmod(p, 0o644) }, "", "is not executable (mode 0644)"},
		{"setuid", func(p string) error { return os.Chmod(p, 0o755|os.ModeSetuid) }, "", "is setuid or setgid (mode 4755)"},
		{"setgid", func(p string) error { return os.Chmod(p, 0o755|os.ModeSetgid) }, "", "is setuid or setgid (mode 2755)"},
		{"a link", func(p string) error {
			if err := os.Rename(p, p+"2"); err != nil {
				return err
			}
			return os.Symlink(p+"2", p)
		}, "", "is a symbolic link"},
		{"a directory", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) }, "", "is not a regular file"},
		{"a pipe", func(p string) error { return errors.Join(os.Remove(p), unix.Mkfifo(p, 0o755)) }, "", "is not a regular file"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "plugin")
		if err := errors.Join(os.WriteFile(path, []byte(script), 0o755), os.Chmod(path, 0o755), tt.spoil(path)); err != nil {
			t.Fatal(err)
		}
		f, err := openExecutable(path, tt.sum)
		switch {
		case err == nil:
			_ = f.Close()
			if tt.reason != "" {
				t.Errorf("%s: not refused", tt.what)
			}
		case tt.reason == "" || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.reason) || !strings.Contains(err.Error(), path):
			t.Errorf("%s: %v, want %q", tt.what, err, tt.reason)
		}
	}
}

// TestOwners: root runs root's files; a user runs root's and their own.
func TestOwners(t *testing.T) {
	for _, tt := range []struct {
		owner, runner uint32
		refused       bool
	}{{0, 0, false}, {0, 1000, false}, {1000, 1000, false}, {1000, 0, true}, {1001, 1000, true}} {
		why := refuseStat(&unix.Stat_t{Uid: tt.owner, Mode: unix.S_IFREG | 0o755}, tt.runner)
		if (why != "") != tt.refused {
			t.Errorf("owned by %d, run by %d: %q", tt.owner, tt.runner, why)
		}
	}
}

// TestWhatWasCheckedIsRun: whatever becomes of the path after the check.
func TestWhatWasCheckedIsRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plugin")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := openExecutable(path, "")
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(dir, "forged")
	if err := os.WriteFile(forged, []byte("#!/bin/sh\necho forged\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(forged, path); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{})
	c := executableCommand(f, nil)
	p, err := launch(b.starter, c, new(group), b.Supervisor.log, b.limits.Drain)
	closeAll(c.extra)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(p.stdout)
	if err != nil || string(out) != "genuine\n" {
		t.Errorf("ran %q, %v", out, err)
	}
	p.tasks.Wait()
	closeAll([]*os.File{p.stdout, p.stderr})
}
