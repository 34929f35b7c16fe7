// Package sysfstest makes sysfs trees for tests.
package sysfstest

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tree is a directory tree: file name → content. A content that begins with
// "-> " makes a symbolic link, and a name that ends in a slash a directory.
type Tree map[string]string

// Write makes the tree in a temporary directory and returns its name.
func (tree Tree) Write(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range tree {
		if err := write(filepath.Join(root, name), content, strings.HasSuffix(name, "/")); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func write(name, content string, directory bool) error {
	if directory {
		return os.MkdirAll(name, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		return os.Symlink(target, name)
	}
	return os.WriteFile(name, []byte(content), 0o644)
}

// Under returns the tree below a directory.
func (tree Tree) Under(dir string) Tree {
	moved := Tree{}
	for name, content := range tree {
		moved[dir+"/"+name] = content
	}
	return moved
}

// Join returns the files of all trees; the later ones win.
func Join(trees ...Tree) Tree {
	all := Tree{}
	for _, t := range trees {
		maps.Copy(all, t)
	}
	return all
}
