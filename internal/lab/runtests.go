package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// guard is what the guest's tests get less than the VM, for them to end in order and say why.
const guard = time.Minute

// outcome is how the tests ended on one kernel.
type outcome struct {
	passed  bool
	verdict string
	failed  []failure
}

// runTests runs the tests on one kernel, for who has taken the turn, and prints to w. An error is the lab's and no test's.
func runTests(ctx context.Context, conf Config, k depot.Series, deadline time.Time, w io.Writer) (outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	left := time.Until(deadline)
	if left < 2*guard {
		return outcome{}, fmt.Errorf("lab: kernel %s: only %v left of -timeout", k, left.Round(time.Second))
	}
	out := &testOutput{w: w, kernel: string(k), verbose: testing.Verbose()}
	conf.Kernel, conf.Timeout = k, left-guard/2
	conf.Command = append([]string{self}, guestFlags(os.Args[1:], left-guard)...)
	conf.Stdout, conf.Stderr, conf.Log = out, w, w
	r, err := boot(ctx, conf)
	if err := errors.Join(err, out.flush()); err != nil {
		return outcome{failed: out.failed}, err
	}
	for _, line := range r.Complaints() {
		fmt.Fprintf(w, "lab: kernel %s complained: %s\n", k, line)
	}
	o := outcome{passed: r.Status == 0, verdict: verdictOf(k, r, out.failed), failed: out.failed}
	_, err = fmt.Fprintln(w, o.verdict)
	return o, err
}

func verdictOf(k depot.Series, r vm.Result, failed []failure) string {
	how := "passed"
	if r.Status != 0 {
		how = fmt.Sprintf("FAILED with status %d %s", r.Status, r.Signal)
		for _, f := range failed {
			how += " " + f.test
		}
	}
	return fmt.Sprintf("lab: kernel %s (%s): %s in %.1fs, of which %.1fs to boot", k, r.Release, how, r.Total.Seconds(), r.Booted.Seconds())
}

// retell tells whether the tests passed on every kernel. Where not, it says once more which tests failed, and their last words: the end
// of a long output is what is read first, and at times all that is kept of it.
func retell(w io.Writer, series []depot.Series, outcomes []outcome) bool {
	passed := true
	for i, o := range outcomes {
		if o.passed {
			continue
		}
		passed = false
		fmt.Fprintln(w, o.verdict)
		for _, f := range o.failed {
			fmt.Fprintf(w, "FAIL: linux-%s/%s, which said last:\n%s\n", series[i], f.test, strings.Join(f.said, "\n"))
		}
	}
	return passed
}

// guestFlags returns the flags for the test binary in the guest. It is always verbose: what it prints shows that it is alive.
func guestFlags(args []string, timeout time.Duration) []string {
	var out []string
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "test.timeout", "test.testlogfile", "test.coverprofile", "test.gocoverdir":
		case "test.v":
			if arg == "-test.v=test2json" {
				out = append(out, arg)
			}
		default:
			out = append(out, arg)
		}
	}
	if !slices.Contains(out, "-test.v=test2json") {
		out = append([]string{"-test.v"}, out...)
	}
	return append([]string{"-test.timeout=" + timeout.String()}, out...)
}
