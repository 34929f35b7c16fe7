package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ibctl.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	conf, err := Load(write(t, "group: rdma\n", 0o644), builtin)
	if err != nil || conf.Group != "rdma" {
		t.Errorf("%+v, %v", conf, err)
	}
}

func TestLoadSaysWhere(t *testing.T) {
	path := write(t, "group: rdma\nx: y\n", 0o644)
	_, err := Load(path, builtin)
	if _, ok := errors.AsType[*Error](err); !ok || !strings.HasPrefix(err.Error(), path+": line 2: x: unknown key") {
		t.Errorf("%v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, mode := range []fs.FileMode{0o664, 0o646, 0o622} {
		if _, err := Load(write(t, "", mode), builtin); !errors.Is(err, ErrRefused) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := Load(t.TempDir(), builtin); !errors.Is(err, ErrRefused) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Load(write(t, strings.Repeat("#", maxSize+1), 0o600), builtin); err == nil {
		t.Error("a file without end was read")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), builtin); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestLoadDoesNotWaitForAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, builtin); !errors.Is(err, ErrRefused) {
		t.Errorf("a pipe: %v", err)
	}
}

func TestDistrust(t *testing.T) {
	tests := []struct {
		what     string
		owner    uint32
		mode     uint32
		euid     uint32
		believed bool
	}{
		{"root's, read by root", 0, 0o644, 0, true},
		{"root's, read by a user", 0, 0o644, 1000, true},
		{"a user's, read by themselves", 1000, 0o600, 1000, true},
		{"a user's, read by root", 1000, 0o600, 0, false},
		{"another user's", 1001, 0o600, 1000, false},
		{"group may write", 0, 0o664, 0, false},
		{"all may write", 0, 0o606, 0, false},
	}
	for _, tt := range tests {
		why := distrust(&unix.Stat_t{Mode: unix.S_IFREG | tt.mode, Uid: tt.owner}, tt.euid)
		if (why == "") != tt.believed {
			t.Errorf("%s: %q", tt.what, why)
		}
	}
}
