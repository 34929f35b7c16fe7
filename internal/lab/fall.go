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
	// maxFalls is how often a kernel may go down before no other guest is booted.
	maxFalls = 3
	// betweenTests stands for the test under which a kernel went down while none ran.
	betweenTests = "no test"
)

// afterFall returns the tests for another guest, after an error that came of the kernel's going down: the one that was running, which
// has a second try and no third, and those that had not begun. A kernel that goes down before any test has begun cannot run tests.
func (t *kernelTests) afterFall(ctx context.Context, err error) ([]string, error) {
	s, why := panicked(err)
	if s == nil || len(t.falls) == maxFalls || t.out.begun == 0 || !t.resumable() || time.Until(t.deadline) < 2*guard {
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
	t.complain(vm.Complaints(s.Console))
	fmt.Fprintf(t.out.w, "lab: kernel %s went down in %s: another guest is booted for %d tests\n", t.kernel, under, len(left))
	t.out.running, t.out.begun = "", 0
	return left, nil
}

var (
	// stumble is a line in which a kernel says what it stumbled over.
	stumble = regexp.MustCompile(`(?m)^.*\b(?:BUG: |Oops: |general protection fault).*$`)

	// ownFault is a panic that is not the kernel's fault, but the lab's: its first process ended, or took all memory.
	ownFault = regexp.MustCompile(`Kernel panic.*(?:Attempted to kill init|deadlocked on memory)`)
)

// panicked returns the error of a guest that ended because its kernel panicked by itself, and what the kernel said of it; nil if it is
// another error.
func panicked(err error) (s *vm.Stopped, why string) {
	s, ok := errors.AsType[*vm.Stopped](err)
	if !ok || !errors.Is(s.Reason, vm.ErrDied) || ownFault.Match(s.Console) {
		return nil, ""
	}
	before, after, found := bytes.Cut(s.Console, []byte("Kernel panic"))
	if !found {
		return nil, ""
	}
	if lines := stumble.FindAll(before, -1); len(lines) > 0 {
		return s, strings.TrimSpace(string(lines[len(lines)-1]))
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	return s, "Kernel panic" + strings.TrimRight(string(line), "\r")
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
