package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

func TestExitOf(t *testing.T) {
	for ws, want := range map[unix.WaitStatus]wire.Exit{
		0:        {Status: 0},
		42 << 8:  {Status: 42},
		9:        {Status: 137, Signal: "SIGKILL"},
		0x80 | 6: {Status: 134, Signal: "SIGABRT"}, // with a core dump
	} {
		if got := exitOf(ws); got != want {
			t.Errorf("%#x: %+v, want %+v", ws, got, want)
		}
	}
}

func TestReaper(t *testing.T) {
	r := newReaper()
	for _, c := range []struct {
		script string
		status int
	}{{"exit 0", 0}, {"exit 3", 3}, {"kill -TERM $$", 143}, {"(sleep 0.1; exit 1) & exit 4", 4}} {
		exit, err := r.runOnConsole([]string{"/bin/sh", "-c", c.script})
		if err != nil || exit.Status != c.status {
			t.Errorf("%s: %+v, %v", c.script, exit, err)
		}
	}
	if _, err := r.runOnConsole([]string{"/no/such/program"}); err == nil {
		t.Error("started what isn't there")
	}
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // lookPath changes it
	t.Setenv("PATH", "/nowhere")
	for _, name := range []string{"tool", "./tool", filepath.Join(dir, "tool")} {
		path, err := lookPath(&wire.Command{Args: []string{name}, Env: []string{"A=b", "PATH=/bin:" + dir}, Dir: dir})
		if err != nil || filepath.Base(path) != "tool" {
			t.Errorf("%s: %q, %v", name, path, err)
		}
	}
	if _, err := lookPath(&wire.Command{Args: []string{"other"}, Env: []string{"PATH=" + dir}, Dir: dir}); err == nil {
		t.Error("found what isn't there")
	}
}

func TestProcessTable(t *testing.T) {
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	if table := processTable(); !strings.Contains(table, " sleep ") {
		t.Errorf("no sleep in\n%s", table)
	}
}
