package lab

import (
	"cmp"
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
	falls   []fall
}

// kernelTests are the tests on one kernel, for who has taken the turn.
type kernelTests struct {
	kernel   depot.Series
	conf     Config
	boot     func(context.Context, Config) (vm.Result, error)
	list     func(context.Context) ([]string, error) // the tests that are asked for
	deadline time.Time
	out      testOutput
	errOut   lastLines
	falls    []fall
	boots    int // of guests in a row that ended before any test had begun

	resumable func() bool
}

func newKernelTests(conf Config, k depot.Series, deadline time.Time, w io.Writer) *kernelTests {
	conf.Kernel, conf.Log = k, w
	return &kernelTests{
		kernel: k, conf: conf, boot: boot, list: listTests, resumable: byName, deadline: deadline,
		out: testOutput{w: w, kernel: string(k), verbose: testing.Verbose()}, errOut: lastLines{w: w},
	}
}

// run runs the tests in a guest, and where its kernel goes down, what is left of them in another. An error is the lab's and no test's.
func (t *kernelTests) run(ctx context.Context) (outcome, error) {
	var only []string
	for {
		r, err := t.once(ctx, only)
		if err == nil {
			return t.end(r)
		}
		if only, err = t.again(ctx, only, err); err != nil {
			return outcome{failed: t.failures(), falls: t.falls}, err
		}
	}
}

// once boots a guest for the tests of these names; for all if there are none.
func (t *kernelTests) once(ctx context.Context, only []string) (vm.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return vm.Result{}, err
	}
	left := time.Until(t.deadline)
	if left < 2*guard {
		return vm.Result{}, fmt.Errorf("only %v left of -timeout", left.Round(time.Second))
	}
	conf := t.conf
	conf.Timeout, conf.Stdout, conf.Stderr = left-guard/2, &t.out, &t.errOut
	conf.Command = append([]string{self}, guestFlags(os.Args[1:], left-guard, only)...)
	r, err := t.boot(ctx, conf)
	return r, errors.Join(err, t.out.flush())
}

func (t *kernelTests) end(r vm.Result) (outcome, error) {
	t.complain(r.Complaints())
	o := outcome{passed: r.Status == 0 && len(t.out.failed) == 0, falls: t.falls}
	if !o.passed {
		o.failed = t.failures()
	}
	o.verdict = verdictOf(t.kernel, r, o)
	_, err := fmt.Fprintln(t.out.w, o.verdict)
	return o, err
}

func (t *kernelTests) complain(lines []string) {
	for _, line := range lines {
		fmt.Fprintf(t.out.w, "lab: kernel %s complained: %s\n", t.kernel, line)
	}
}

// failures are the tests that failed, and one that did not come to its end, with what was said on standard error: a panic, or where
// a test hung.
func (t *kernelTests) failures() []failure {
	all := t.out.failed
	if len(t.errOut.lines) > 0 || t.out.running != "" {
		said := slices.Concat(t.out.told, t.errOut.lines)
		all = append(all, failure{test: cmp.Or(t.out.running, "standard error"), said: said})
	}
	return all
}

func verdictOf(k depot.Series, r vm.Result, o outcome) string {
	how := "passed"
	if !o.passed {
		how = fmt.Sprintf("FAILED with status %d %s", r.Status, r.Signal)
		for _, f := range o.failed {
			how += " " + f.test
		}
	}
	if n := len(o.falls); n > 0 {
		how += fmt.Sprintf(", after the kernel went down %d times and the last guest ran", n)
	}
	return fmt.Sprintf("lab: kernel %s (%s): %s in %.1fs, of which %.1fs to boot", k, r.Release, how, r.Total.Seconds(), r.Booted.Seconds())
}

// retell tells whether the tests passed on every kernel. It says once more which kernels went down, which tests failed, and their last
// words: the end of a long output is what is read first, and at times all that is kept of it.
func retell(w io.Writer, series []depot.Series, outcomes []outcome) bool {
	passed := true
	for i, o := range outcomes {
		for _, f := range o.falls {
			fmt.Fprintf(w, "lab: kernel %s went down in %s, and another guest was booted: %s\n", series[i], f.test, f.why)
		}
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

// guestFlags returns the flags for the test binary in the guest, for the tests of these names if there are any. It is always verbose:
// what it prints shows that it is alive.
func guestFlags(args []string, timeout time.Duration, only []string) []string {
	var out []string
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "test.timeout", "test.testlogfile", "test.coverprofile", "test.gocoverdir":
		case "test.run":
			if only == nil {
				out = append(out, arg)
			}
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
	if only != nil {
		out = append(out, "-test.run=^("+strings.Join(only, "|")+")$")
	}
	return append([]string{"-test.timeout=" + timeout.String()}, out...)
}
