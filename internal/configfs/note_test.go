package configfs

import (
	"os"
	"path/filepath"
	"testing"
)

// noted is a tree that takes notes.
func noted(t *testing.T) Tree {
	t.Helper()
	return Tree{t.TempDir(), filepath.Join(t.TempDir(), "notes")}
}

func notes(t *testing.T, tree Tree) int {
	t.Helper()
	entries, err := os.ReadDir(tree.notes)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// die lets go of the lock, as the end of a process does.
func die(t *testing.T, d *Device) {
	t.Helper()
	if err := d.note.file.Close(); err != nil {
		t.Fatal(err)
	}
}

// What the dead have left is removed, and nothing else is.
func TestSweep(t *testing.T) {
	tree := noted(t)
	if err := tree.Sweep(); err != nil {
		t.Errorf("where nobody has ever noted anything: %v", err)
	}
	if err := os.Mkdir(filepath.Join(tree.root, "others"), 0o755); err != nil {
		t.Fatal(err)
	}
	dead, alive, theirs := open(t, tree, "dead"), open(t, tree, "alive"), open(t, tree, "others")
	die(t, dead)
	if err := tree.Sweep(); err != nil {
		t.Fatal(err)
	}
	if exists(t, dead.dir) || !exists(t, alive.dir) || !exists(t, theirs.dir) {
		t.Errorf("there: dead's %v, alive's %v, others' %v", exists(t, dead.dir), exists(t, alive.dir), exists(t, theirs.dir))
	}
	if err := alive.Close(); err != nil || exists(t, alive.dir) {
		t.Errorf("closed: %v, there: %v", err, exists(t, alive.dir))
	}
	if err := theirs.Close(); err != nil || !exists(t, theirs.dir) {
		t.Errorf("others' closed: %v, there: %v", err, exists(t, theirs.dir))
	}
	if n := notes(t, tree); n != 0 {
		t.Errorf("%d notes are left", n)
	}
}

// Who died before it made the directory, or after it removed it, has left a note
// alone; a directory that cannot be removed keeps its note.
func TestSweepOtherwise(t *testing.T) {
	tree := noted(t)
	early, busy := open(t, tree, "early"), open(t, tree, "busy")
	die(t, early)
	die(t, busy)
	if err := os.Remove(early.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(busy.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tree.Sweep(); err == nil || notes(t, tree) != 1 {
		t.Errorf("%v, %d notes", err, notes(t, tree))
	}
	if err := os.Remove(filepath.Join(busy.dir, "file")); err != nil {
		t.Fatal(err)
	}
	if err := tree.Sweep(); err != nil || notes(t, tree) != 0 || exists(t, busy.dir) {
		t.Errorf("%v, %d notes, there: %v", err, notes(t, tree), exists(t, busy.dir))
	}
}
