package lab

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// Suite is what the tests of a package need in the guest beyond the lab itself.
type Suite struct {
	Programs map[string]string // programs to build before the boot: name in the guest's PATH → import path
	NewRDMA  bool              // an rdma(8) of iproute2 6.15 or later; NewRDMA() has its name
	Silence  time.Duration     // longest pause between two lines of the tests' output; 5 minutes
}

// Main is for TestMain: os.Exit(lab.Main(m, lab.Suite{})).
//
// Inside a VM it runs the tests. Outside it boots each kernel and runs this very test binary there, with the same flags and in the
// same directory, and returns 1 if any of them failed. Kernels run at once where there are processors for them, and print one after
// the other. Names of tests in the output get the kernel's series in front, as if they were its subtests; -run and the like know
// nothing of it, IBCTL_LAB_KERNEL chooses.
//
// With -timeout, which covers all kernels together, the tests in the guest get what is left of it, less a minute: time enough for
// the testing package to say which test hangs. Files that flags such as -coverprofile name are written in the guest, and lost.
func Main(m *testing.M, s Suite) int {
	if _, inside := Inside(); inside {
		return m.Run()
	}
	flag.Parse()
	if Off() {
		fmt.Printf("lab: %s=off: the lab's tests are SKIPPED\n", EnvLab)
		return 0
	}
	if listing() {
		return m.Run()
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer cancel()
	ok, err := s.run(ctx)
	if err != nil {
		fmt.Println(err)
	}
	if err != nil || !ok {
		fmt.Println("FAIL")
		return 1
	}
	fmt.Println("PASS")
	return 0
}

// listing tells whether the tests are only to be named, or none is wanted: neither is worth a boot.
func listing() bool {
	if flagValue("test.list") != "" {
		return true
	}
	wanted := flagValue("test.run")
	if wanted == "" || flagValue("test.bench") != "" {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	top, _, _ := strings.Cut(wanted, "/")
	out, err := exec.Command(self, "-test.list="+top).Output()
	return err == nil && len(out) == 0
}

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// run runs the tests on every kernel and tells whether all have passed.
func (s Suite) run(ctx context.Context) (bool, error) {
	deadline := testDeadline(time.Now())
	series, err := depot.ParseSeries(os.Getenv(EnvKernel))
	if err != nil {
		return false, err
	}
	conf, cleanup, err := s.prepare(ctx)
	defer cleanup()
	if err != nil {
		return false, err
	}
	waiting, cancel := context.WithDeadline(ctx, deadline.Add(-2*guard))
	defer cancel()
	unlock, err := takeTurn(waiting, os.Stdout)
	if err != nil {
		return false, err
	}
	defer unlock()
	guests, processors := atOnce(len(series), runtime.NumCPU())
	conf.Processors = processors
	outcomes := runKernels(series, guests, os.Stdout, func(k depot.Series, out io.Writer) outcome {
		o, err := newKernelTests(conf, k, deadline, out).run(ctx)
		if err != nil {
			o.passed, o.verdict = false, fmt.Sprintf("lab: the tests on kernel %s did not end: %v", k, err)
			fmt.Fprintln(out, o.verdict)
		}
		return o
	})
	if ctx.Err() != nil {
		return false, fmt.Errorf("lab: interrupted: %w", context.Cause(ctx))
	}
	return retell(os.Stdout, series, outcomes), nil
}

// prepare builds what is to be found in the guest.
func (s Suite) prepare(ctx context.Context) (conf Config, cleanup func(), err error) {
	bin, err := os.MkdirTemp("", "ibctl-lab-bin-")
	if err != nil {
		return conf, func() {}, err
	}
	cleanup = func() { os.RemoveAll(bin) }
	// Tests run programs as other users, too, and MkdirTemp's directory is its owner's alone.
	if err := os.Chmod(bin, 0o755); err != nil {
		return conf, cleanup, err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Programs)) {
		if err := goBuild(ctx, filepath.Join(bin, name), s.Programs[name]); err != nil {
			return conf, cleanup, err
		}
	}
	conf = Config{Path: []string{bin}, Silence: s.Silence, Log: os.Stdout}
	setDefault(&conf.Silence, 5*time.Minute)
	if s.NewRDMA {
		d, err := depot.Open(os.Stdout)
		if err != nil {
			return conf, cleanup, err
		}
		rdma, err := d.RDMA(ctx)
		if err != nil {
			return conf, cleanup, err
		}
		conf.Env = append(conf.Env, envRDMA+"="+rdma)
	}
	return conf, cleanup, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// testDeadline is when the go command would lose its patience with this binary.
func testDeadline(start time.Time) time.Time {
	d, err := time.ParseDuration(flagValue("test.timeout"))
	if err != nil || d <= 0 {
		return start.Add(24 * time.Hour)
	}
	return start.Add(d)
}
