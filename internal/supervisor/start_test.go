package supervisor

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartFailures(t *testing.T) {
	tests := []struct {
		plugin string
		limit  time.Duration
		want   error
		words  string // somewhere in the message
	}{
		{"exits", 0, ErrExited, "exit status 9: no licence today"},
		{"exits-fine", 0, ErrExited, "exit status 0"},
		{"panics", 0, ErrExited, "panic: I cannot go on"},
		{"hangs", time.Second, ErrDeadline, "1s"},
		{"chatty", 0, ErrHandshake, "Welcome to my plugin!"},
		{"old", 0, ErrVersion, `version "7", want 1`},
		{"elsewhere", 0, ErrHandshake, "/tmp/x"},
		{"silent", 0, nil, "none"},
		{"impostor", 0, ErrName, "someone-else"},
		{"configured", 0, syscall.ENOENT, "config {}, 0 devices"},
		{"flood", 0, ErrExited, "exit status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.plugin, func(t *testing.T) {
			t.Parallel()
			limits := Limits{Start: tt.limit}
			if tt.plugin == "silent" {
				limits.Crash = time.Second // it lives on, and is not waited for
			}
			b := newBench(t, Config{Limits: limits})
			spec := b.builtin(tt.plugin)
			spec.Config = []byte("{}")
			p, err := b.Start(t.Context(), spec)
			if err == nil {
				_ = b.stop(p)
				t.Fatal("started")
			}
			start, ok := errors.AsType[*StartError](err)
			if !ok || (tt.want != nil && !errors.Is(err, tt.want)) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %v (%T), want a StartError of %v with %q", err, err, tt.want, tt.words)
			}
			if ok && len(start.Output) > b.limits.LogTail {
				t.Errorf("%d lines kept", len(start.Output))
			}
			b.nothingLeft()
			b.noSockets()
		})
	}
}

func (b *bench) noSockets() {
	b.Helper()
	entries, err := os.ReadDir(b.dir.path)
	if err != nil || len(entries) > 0 {
		b.Errorf("left in the run directory: %v %v", entries, err)
	}
}

func TestStartGivenUp(t *testing.T) {
	b := newBench(t, Config{})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("fed up"))
	defer cancel()
	_, err := b.Start(ctx, b.builtin("hangs"))
	if err == nil || !strings.Contains(err.Error(), "fed up") {
		t.Errorf("error %v", err)
	}
	b.nothingLeft()
}

// TestStartGivenUpAnywhere: whatever a start is about when its caller has had
// enough, the caller's reason is what it ends with.
func TestStartGivenUpAnywhere(t *testing.T) {
	b := newBench(t, Config{})
	began := time.Now()
	b.stop(b.start(b.builtin("good")))
	took, fedUp := time.Since(began), errors.New("fed up")
	for i := range 60 {
		ctx, cancel := context.WithTimeoutCause(t.Context(), took*time.Duration(i)/50, fedUp)
		p, err := b.Start(ctx, b.builtin("good"))
		cancel()
		switch {
		case err == nil:
			b.stop(p)
		case !errors.Is(err, fedUp):
			t.Errorf("after %d fiftieths of a start: %v", i, err)
		}
	}
	b.nothingLeft()
}

func TestStartNoSuchFile(t *testing.T) {
	b := newBench(t, Config{})
	_, err := b.Start(t.Context(), Spec{Name: "x", Path: "/no/such/plugin"})
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrRefused) {
		t.Errorf("error %v", err)
	}
}

func TestStartNotAProgram(t *testing.T) {
	b := newBench(t, Config{})
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("just text"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := b.Start(t.Context(), Spec{Name: "x", Path: path})
	if !errors.Is(err, syscall.ENOEXEC) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestStartScript(t *testing.T) {
	b := newBench(t, Config{})
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho hello from $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := b.Start(t.Context(), Spec{Name: "x", Path: path, Args: []string{"sh"}})
	if !errors.Is(err, ErrHandshake) || !strings.Contains(err.Error(), "hello from sh") {
		t.Errorf("error %v", err)
	}
}

func TestStartAfterClose(t *testing.T) {
	b := newBench(t, Config{})
	b.Close()
	if _, err := b.Start(t.Context(), b.builtin("good")); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestExternal(t *testing.T) {
	b := newBench(t, Config{})
	spec := b.external("good")
	out, err := exec.Command("sha256sum", spec.Path).Output()
	if err != nil {
		t.Fatal(err)
	}
	spec.SHA256 = strings.ToUpper(strings.Fields(string(out))[0])
	p := b.start(spec)
	if p.Version() != "test" || p.Name() != "good" {
		t.Errorf("version %q, name %q", p.Version(), p.Name())
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestEnvironment: nothing of ours leaks into a plugin.
func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HOST", "x")
	b := newBench(t, Config{})
	p := b.start(b.builtin("good"))
	defer b.stop(p)
	pids := marked(b.mark)
	if len(pids) != 1 || pids[0] != p.PID() {
		t.Fatalf("processes %v, want %d", pids, p.PID())
	}
	text, err := os.ReadFile(filepath.Join("/proc", p.runner.ID(), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(string(text), "\x00")
	if slices.Contains(env, "SECRET_OF_THE_HOST=x") || !slices.Contains(env, "LANG=C.UTF-8") {
		t.Errorf("environment %q", env)
	}
}

// TestSocketIsGone: once connected there is nothing on disk that a SIGKILL could
// leave behind, or that anybody else could connect to.
func TestSocketIsGone(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("good"))
	b.noSockets()
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestOutputReachesLog(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("talker"))
	if _, err := p.Add(t.Context(), device(1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=WARN msg=structured plugin=talker answer=42", "to stdout", "to stderr"} {
		eventually(t, want, func() bool { return strings.Contains(b.log.String(), want) })
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}
