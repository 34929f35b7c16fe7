package sysfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// TestWholeOfHostileTree: whoever made the copy decides what is in it, and not what
// is opened.
func TestWholeOfHostileTree(t *testing.T) {
	tree := openTree(t, sysfstest.Tree{"fine": "text\n", "out": "-> /etc/passwd"})
	if err := unix.Mkfifo(filepath.Join(tree.Root(), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(tree.Root(), "long")
	if err := errors.Join(os.WriteFile(long, nil, 0o600), os.Truncate(long, maxWhole+1)); err != nil {
		t.Fatal(err)
	}
	if text, err := tree.Whole("fine"); err != nil || string(text) != "text\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"out", "pipe", "long"} {
		if text, err := tree.Whole(name); err == nil {
			t.Errorf("%s: %d octets", name, len(text))
		}
	}
	if _, err := tree.Whole("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
