package sysfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnlyRegularFilesAreRead: a directory of a copied tree may hold anything, and
// what is no file is not opened; one that was seen to hold files alone is believed.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		add     func(path string) error
		regular bool
	}{
		{"nothing else", func(string) error { return nil }, true},
		{"a pipe", func(path string) error { return unix.Mkfifo(path, 0o644) }, false},
		{"a link", func(path string) error { return os.Symlink("0", path) }, false},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o755) }, false},
	} {
		for _, name := range []string{"1", ".1", "..1"} {
			t.Run(tt.name+" as "+name, func(t *testing.T) {
				root := t.TempDir()
				if err := errors.Join(os.WriteFile(filepath.Join(root, "0"), []byte("text\n"), 0o600), tt.add(filepath.Join(root, name))); err != nil {
					t.Fatal(err)
				}
				fd, err := unix.Open(root, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				d := dir{fd: fd, confined: true}
				defer d.close()
				if _, err := d.names(); err != nil || d.regular != tt.regular {
					t.Errorf("all regular: %v, %v, want %v", d.regular, err, tt.regular)
				}
				buf := make([]byte, maxFile)
				if text, err := d.read("0", buf); string(text) != "text" || err != nil {
					t.Errorf("read a file: %q, %v", text, err)
				}
				if _, err := d.read(name, buf); !tt.regular && !errors.Is(err, errNotRegular) {
					t.Errorf("read %s: %v, want %v", tt.name, err, errNotRegular)
				}
			})
		}
	}
}
