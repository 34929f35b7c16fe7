package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/lab/vm"
)

// fall is when a kernel went down under a test. No program may be able to do that: it is a defect of the kernel, which is told, and
// must not hide what the other tests have to say.
type fall struct{ test, why string }

const (
	// maxBoots is how often a guest is booted that ends before any test has begun.
	maxBoots = 3
	// maxFalls is how often a kernel may go down before no other guest is booted.
	maxFalls = 3
	// betweenTests stands for the test under which a kernel went down while none ran.
	betweenTests = "no test"
)

// again returns the tests for another guest after an error: all that the last one was to run, if it ended before any had begun, and
// otherwise what is left after a fall.
func (t *kernelTests) again(ctx context.Context, only []string, err error) ([]string, error) {
	s, guestEnded := errors.AsType[*vm.Stopped](err)
	if !guestEnded || ctx.Err() != nil || time.Until(t.deadline) < 2*guard {
		return nil, err
	}
	if t.out.begun > 0 {
		return t.afterFall(ctx, s)
	}
	if t.boots++; t.boots == maxBoots {
		return nil, err
	}
	fmt.Fprintf(t.out.w, "%v\nlab: kernel %s: no test had begun: it is booted again\n", err, t.kernel)
	return only, nil
}

// afterFall returns the tests for another guest, after an error that came of the kernel's going down: the one that was running, which
// has a second try and no third, and those that had not begun.
func (t *kernelTests) afterFall(ctx context.Context, err *vm.Stopped) ([]string, error) {
	why, fell := panicked(err)
	if !fell || len(t.falls) == maxFalls || !t.resumable() {
		return nil, err
	}
	all, errList := t.list(ctx)
	left := slices.DeleteFunc(all, func(name string) bool { return slices.Contains(t.out.ended, name) })
	if errList != nil || len(left) == 0 {
		return nil, errors.Join(err, errList)
	}
	under := cmp.Or(t.out.running, betweenTests)
	if n := len(t.falls); n > 0 && t.falls[n-1].test == under && under != betweenTests {
		return nil, fmt.Errorf("%s took the kernel down twice: %w", under, err)
	}
	t.falls = append(t.falls, fall{test: under, why: why})
	fmt.Fprintln(t.out.w, err)
	t.complain(vm.Complaints(err.Console))
	fmt.Fprintf(t.out.w, "lab: kernel %s went down in %s: another guest is booted for %d tests\n", t.kernel, under, len(left))
	t.out.running, t.out.begun, t.boots = "", 0, 0
	return left, nil
}

var (
	// stumble is a line in which a kernel says what it stumbled over.
	stumble = regexp.MustCompile(`(?m)^.*\b(?:BUG: |Oops: |general protection fault).*$`)

	// ownFault is a panic that is not the kernel's fault, but the lab's: its first process ended, or took all memory.
	ownFault = regexp.MustCompile(`Kernel panic.*(?:Attempted to kill init|deadlocked on memory)`)
)

// panicked tells whether a guest ended because its kernel panicked by itself, and what the kernel said of it.
func panicked(s *vm.Stopped) (why string, _ bool) {
	before, after, found := bytes.Cut(s.Console, []byte("Kernel panic"))
	if !found || !errors.Is(s.Reason, vm.ErrDied) || ownFault.Match(s.Console) {
		return "", false
	}
	if lines := stumble.FindAll(before, -1); len(lines) > 0 {
		return strings.TrimSpace(string(lines[len(lines)-1])), true
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	return "Kernel panic" + strings.TrimRight(string(line), "\r"), true
}

// byName tells whether the flags choose tests such that they can be told by their names from those that have ended.
func byName() bool {
	return flagValue("test.bench") == "" && flagValue("test.skip") == "" && !strings.Contains(flagValue("test.run"), "/") &&
		slices.Contains([]string{"", "off"}, flagValue("test.shuffle")) && slices.Contains([]string{"", "1"}, flagValue("test.count"))
}

func listTests(ctx context.Context) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	wanted := flagValue("test.run")
	if wanted == "" {
		wanted = "."
	}
	out, err := exec.CommandContext(ctx, self, "-test.list="+wanted).Output()
	if err != nil {
		return nil, fmt.Errorf("lab: list the tests: %w", err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !strings.HasPrefix(name, "Test") }), nil
}
