package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// bootScript plays the guests of one kernel: each prints what its tests say, and ends with an error or a status.
type bootScript struct {
	t      *testing.T
	guests []scriptedGuest
	runs   []string // -test.run of each guest
}

type scriptedGuest struct {
	out, stderr string
	err         error
	status      int
}

func (s *bootScript) boot(_ context.Context, conf Config) (vm.Result, error) {
	if len(s.guests) == 0 {
		s.t.Fatal("one guest too many")
	}
	run := ""
	for _, arg := range conf.Command {
		if name, value, _ := strings.Cut(arg, "="); name == "-test.run" {
			run = strings.TrimPrefix(value, flagValue("test.run")) // this very run may be of chosen tests
		}
	}
	s.runs = append(s.runs, run)
	g := s.guests[0]
	s.guests = s.guests[1:]
	_, err := conf.Stdout.Write([]byte(g.out))
	if err == nil {
		_, err = conf.Stderr.Write([]byte(g.stderr))
	}
	return vm.Result{Status: g.status, Release: "7.x"}, errors.Join(err, g.err)
}

// Where a kernel goes down, the test under which it did and those after it have another guest, and all is told at the end.
func TestKernelGoesDown(t *testing.T) {
	oops := &vm.Stopped{Reason: vm.ErrDied, Console: []byte("[ 1.0] BUG: kernel NULL pointer dereference, address: 0\n[ 1.1] Kernel panic - not syncing: Fatal exception\n")}
	slow := &vm.Stopped{Reason: vm.ErrBoot}
	suicide := &vm.Stopped{Reason: vm.ErrDied, Console: []byte("[ 1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200\n")}
	unplugged := &vm.Stopped{Reason: vm.ErrDied, Console: []byte("[ 1.0] all is well\n")}
	const passed, failed, down = "=== RUN   %[1]s\n--- PASS: %[1]s (0.01s)\n", "=== RUN   %[1]s\n--- FAIL: %[1]s (0.01s)\n", "=== RUN   %[1]s\n    a_test.go:1: on the way\n"
	say := func(kindsAndNames ...string) (out string) {
		for pair := range slices.Chunk(kindsAndNames, 2) {
			out += fmt.Sprintf(pair[0], pair[1])
		}
		return out
	}
	for _, c := range []struct {
		name   string
		guests []scriptedGuest
		runs   string
		passed bool
		err    error
		told   []string
	}{
		{
			name: "once", passed: true, runs: " ^(TestB|TestC)$",
			guests: []scriptedGuest{{out: say(passed, "TestA", down, "TestB"), err: oops}, {out: say(passed, "TestB", passed, "TestC")}},
			told:   []string{"7.x went down in TestB", "BUG: kernel NULL pointer"},
		},
		{
			name: "before any test", passed: true, runs: "",
			guests: []scriptedGuest{{err: oops}, {err: slow}, {out: say(passed, "TestA", passed, "TestB", passed, "TestC")}},
		},
		{
			name: "before any test, each time", runs: "", err: vm.ErrDied,
			guests: []scriptedGuest{{err: oops}, {err: oops}, {err: oops}},
		},
		{
			name: "before the test that is left", passed: true, runs: " ^(TestC)$ ^(TestC)$",
			guests: []scriptedGuest{{out: say(passed, "TestA", passed, "TestB", down, "TestC"), err: oops}, {err: slow}, {out: say(passed, "TestC")}},
		},
		{
			name: "the lab's own fault", runs: "", err: vm.ErrDied,
			guests: []scriptedGuest{{out: say(passed, "TestA", down, "TestB"), err: suicide}},
			told:   []string{"FAIL: linux-7.x/TestB", "on the way"},
		},
		{
			name: "a panic of the test", runs: "",
			guests: []scriptedGuest{{out: say(passed, "TestA", failed, "TestB"), stderr: "panic: nil map\n\ngoroutine 7\n", status: 2}},
			told:   []string{"FAIL: linux-7.x/TestB", "panic: nil map"},
		},
		{
			name: "between two tests", passed: true, runs: " ^(TestB|TestC)$",
			guests: []scriptedGuest{{out: say(passed, "TestA"), err: oops}, {out: say(passed, "TestB", passed, "TestC")}},
			told:   []string{"went down in no test"},
		},
		{
			name: "a failure before it counts", runs: " ^(TestB|TestC)$",
			guests: []scriptedGuest{{out: say(failed, "TestA", down, "TestB"), err: oops}, {out: say(passed, "TestB", passed, "TestC")}},
			told:   []string{"FAIL: linux-7.x/TestA"},
		},
		{
			name: "twice under one test", runs: " ^(TestB|TestC)$", err: vm.ErrDied,
			guests: []scriptedGuest{{out: say(passed, "TestA", down, "TestB"), err: oops}, {out: say(down, "TestB"), err: oops}},
			told:   []string{"TestB took the kernel down twice"},
		},
		{
			name: "under two tests", passed: true, runs: " ^(TestA|TestB|TestC)$ ^(TestC)$",
			guests: []scriptedGuest{{out: say(down, "TestA"), err: oops}, {out: say(passed, "TestA", passed, "TestB", down, "TestC"), err: oops}, {out: say(passed, "TestC")}},
			told:   []string{"went down in TestA", "went down in TestC"},
		},
		{
			name: "another end", runs: "", err: vm.ErrDied,
			guests: []scriptedGuest{{out: say(passed, "TestA", down, "TestB"), err: unplugged}},
		},
		{
			name: "after all", runs: "", err: vm.ErrDied,
			guests: []scriptedGuest{{out: say(passed, "TestA", passed, "TestB", passed, "TestC"), err: oops}},
		},
	} {
		var out, told bytes.Buffer
		script := &bootScript{t: t, guests: c.guests}
		k := newKernelTests(Config{}, "7.x", time.Now().Add(time.Hour), &out)
		k.resumable = func() bool { return true }
		k.boot, k.list = script.boot, func(context.Context) ([]string, error) { return []string{"TestA", "TestB", "TestC"}, nil }
		o, err := k.run(t.Context())
		if o.passed != c.passed || !errors.Is(err, c.err) || len(script.guests) > 0 {
			t.Errorf("%s: passed %v, %v; %d guests not booted", c.name, o.passed, err, len(script.guests))
		}
		if runs := strings.Join(script.runs, " "); strings.TrimSpace(runs) != strings.TrimSpace(c.runs) {
			t.Errorf("%s: ran %q, want %q", c.name, runs, c.runs)
		}
		if err != nil {
			o.verdict = err.Error()
		}
		retell(&told, []depot.Series{"7.x"}, []outcome{o})
		for _, want := range c.told {
			if !strings.Contains(told.String(), want) {
				t.Errorf("%s: no %q in what is told at the end:\n%s", c.name, want, &told)
			}
		}
	}
}
