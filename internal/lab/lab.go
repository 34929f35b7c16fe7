package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// Config says what to run in a VM, and on which kernel.
type Config struct {
	Kernel  depot.Series // required
	Command []string     // required: program and arguments, of the host's files
	Env     []string     // added to a small environment of the lab's own (PATH, HOME, TERM, LANG)
	Dir     string       // working directory; this process's
	Path    []string     // directories put before the usual ones in PATH

	Processors int // of the VM; 2

	Timeout time.Duration // for the whole run; 10 minutes
	Silence time.Duration // longest pause in the output; no limit

	Stdout, Stderr io.Writer // get the output as it comes; discarded
	TTY            bool      // run on this process's terminal
	Log            io.Writer // progress of what comes before the boot; discarded
}

// Run boots a VM, runs the command there and returns when the VM is gone. Result.Status is the command's exit status. An error
// means that there is none; package vm has the kinds (vm.Stopped and the reasons it wraps).
//
// Run may be called by several goroutines and processes at once; but for VMs with a terminal, one boots after the other: many
// of them would only make each other miss their deadlines.
func Run(ctx context.Context, cfg Config) (vm.Result, error) {
	if !cfg.TTY {
		unlock, err := takeTurn(ctx, cfg.Log)
		if err != nil {
			return vm.Result{}, err
		}
		defer unlock()
	}
	return boot(ctx, cfg)
}

// takeTurn waits until no other process of this user runs VMs.
func takeTurn(ctx context.Context, log io.Writer) (unlock func(), err error) {
	if err := vm.CheckQEMU(); err != nil {
		return nil, err
	}
	if log == nil {
		log = io.Discard
	}
	d, err := depot.Open(log)
	if err != nil {
		return nil, err
	}
	return d.Lock(ctx, "vm.lock")
}

// boot is Run for who has taken the turn.
func boot(ctx context.Context, cfg Config) (vm.Result, error) {
	if runtime.GOARCH != "amd64" {
		return vm.Result{}, fmt.Errorf("lab: its kernels are for amd64, and so must be the programs that they run; this is %s", runtime.GOARCH)
	}
	if err := vm.CheckQEMU(); err != nil {
		return vm.Result{}, err
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	d, err := depot.Open(cfg.Log)
	if err != nil {
		return vm.Result{}, err
	}
	k, err := d.Kernel(ctx, cfg.Kernel)
	if err != nil {
		return vm.Result{}, err
	}
	initrd, err := initramfs(ctx, d, k)
	if err != nil {
		return vm.Result{}, err
	}
	conf, err := cfg.forVM(k, initrd)
	if err != nil {
		return vm.Result{}, err
	}
	return vm.Run(ctx, conf)
}

func (c Config) forVM(k depot.Kernel, initrd string) (vm.Config, error) {
	if len(c.Command) == 0 {
		return vm.Config{}, errors.New("lab: no command")
	}
	if c.Dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return vm.Config{}, fmt.Errorf("lab: working directory: %w", err)
		}
		c.Dir = wd
	}
	return vm.Config{
		Kernel: k, Initrd: initrd,
		Command: c.Command, Env: c.environment(k), Dir: c.Dir, Modules: guestModules(),
		Timeout: c.Timeout, Silence: c.Silence,
		Stdout: c.Stdout, Stderr: c.Stderr, TTY: c.TTY,
		Accel: os.Getenv(EnvAccel), Processors: c.Processors,
	}, nil
}

// guestModules are loaded in every guest: RDMA core, soft RoCE, and what users of verbs and CM need. The kernel loads the
// drivers of the netdevs itself when a topology asks for one.
func guestModules() []string {
	return []string{"configfs", "ib_uverbs", "ib_umad", "rdma_ucm", "rdma_rxe"}
}

// initramfs builds the guest's first process, which takes the go tool a moment when nothing has changed, and packs it.
func initramfs(ctx context.Context, d *depot.Depot, k depot.Kernel) (string, error) {
	tmp, err := os.MkdirTemp("", "ibctl-lab-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	guest := filepath.Join(tmp, "guest")
	if err := goBuild(ctx, guest, "github.com/ibctl/ibctl/internal/lab/guest"); err != nil {
		return "", err
	}
	return vm.Initramfs(ctx, filepath.Join(d.Dir(), "initramfs"), k, guest)
}

// What programs are built with is what the Makefile builds ibctl with: what is tested is what is installed, and starts as fast.
const (
	buildTags = "urfave_cli_no_docs,grpcnotrace"
	linkFlags = "-s -w"
)

// goBuild builds a static program. GOFLAGS may ask for what a static program can't have, such as -race.
func goBuild(ctx context.Context, out, importPath string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", buildTags, "-ldflags", linkFlags, "-o", out, importPath)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: go build %s: %w\n%s", importPath, err, msg)
	}
	return nil
}
