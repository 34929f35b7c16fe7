package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/internal/lab/vm"
)

// fall is when a kernel went down under a test. No program may be able to do that: it is a defect of the kernel, which is told, and
// must not hide what the other tests have to say.
type fall struct{ test, why string }

// maxFalls is how often a kernel may go down before no other guest is booted.
const maxFalls = 3

// afterFall returns the tests for another guest, after an error that came of the kernel's going down. The first of them is the one that
// was running: it has a second try, and no third.
func (t *kernelTests) afterFall(ctx context.Context, err error) ([]string, error) {
	why, fell := panicked(err)
	if !fell || len(t.falls) == maxFalls || !resumable() {
		return nil, err
	}
	all, errList := t.list(ctx)
	left := slices.DeleteFunc(all, func(name string) bool { return slices.Contains(t.out.ended, name) })
	if errList != nil || len(left) == 0 {
		return nil, errors.Join(err, errList)
	}
	if n := len(t.falls); n > 0 && t.falls[n-1].test == left[0] {
		return nil, fmt.Errorf("%s took the kernel down twice: %w", left[0], err)
	}
	t.falls = append(t.falls, fall{test: left[0], why: why})
	fmt.Fprintf(t.out.w, "%v\nlab: kernel %s went down in %s: another guest is booted for it and the %d tests after it\n", err, t.kernel, left[0], len(left)-1)
	return left, nil
}

// panicLine is a line in which a kernel says that it goes down, or what it stumbled over before.
var panicLine = regexp.MustCompile(`(?m)^.*\b(?:BUG: |Oops: |general protection fault|Kernel panic).*$`)

// panicked tells whether a guest ended because its kernel panicked by itself, and what that said first.
func panicked(err error) (why string, _ bool) {
	s, ok := errors.AsType[*vm.Stopped](err)
	if !ok || !errors.Is(s.Reason, vm.ErrDied) || !bytes.Contains(s.Console, []byte("Kernel panic")) {
		return "", false
	}
	return strings.TrimSpace(string(panicLine.Find(s.Console))), true
}

// resumable tells whether the tests can be told by their names from those that have ended.
func resumable() bool {
	return flagValue("test.bench") == "" && !strings.Contains(flagValue("test.run"), "/") && slices.Contains([]string{"", "1"}, flagValue("test.count"))
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
