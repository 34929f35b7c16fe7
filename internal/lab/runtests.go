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

// runTests runs the tests on one kernel, for who has taken the turn, and prints to w.
func runTests(ctx context.Context, conf Config, k depot.Series, deadline time.Time, w io.Writer) (bool, error) {
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	left := time.Until(deadline)
	if left < 2*guard {
		return false, fmt.Errorf("lab: kernel %s: only %v left of -timeout", k, left.Round(time.Second))
	}
	out := &testOutput{w: w, kernel: string(k), verbose: testing.Verbose()}
	conf.Kernel, conf.Timeout = k, left-guard/2
	conf.Command = append([]string{self}, guestFlags(os.Args[1:], left-guard)...)
	conf.Stdout, conf.Stderr, conf.Log = out, w, w
	r, err := boot(ctx, conf)
	if err := errors.Join(err, out.flush()); err != nil {
		return false, err
	}
	report(w, k, r, out.failed)
	return r.Status == 0, nil
}

func report(w io.Writer, k depot.Series, r vm.Result, failed []string) {
	verdict := "passed"
	if r.Status != 0 {
		verdict = fmt.Sprintf("FAILED with status %d %s %s", r.Status, r.Signal, strings.Join(failed, " "))
	}
	for _, line := range r.Complaints() {
		fmt.Fprintf(w, "lab: kernel %s complained: %s\n", k, line)
	}
	fmt.Fprintf(w, "lab: kernel %s (%s): %s in %.1fs, of which %.1fs to boot\n", k, r.Release, verdict, r.Total.Seconds(), r.Booted.Seconds())
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
