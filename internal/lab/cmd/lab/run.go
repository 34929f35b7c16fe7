package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// options are the flags of shell and run.
type options struct {
	kernel, topology, path, console string
	timeout                         time.Duration
	command                         []string
}

func parse(verb string, args []string, defaults options) (options, error) {
	o := defaults
	fs := flag.NewFlagSet(verb, flag.ContinueOnError)
	fs.Usage = func() { fmt.Fprint(fs.Output(), usage) }
	fs.StringVar(&o.kernel, "kernel", defaultKernel(), "")
	fs.StringVar(&o.topology, "topology", o.topology, "")
	fs.StringVar(&o.path, "path", "", "")
	fs.StringVar(&o.console, "console", "", "")
	fs.DurationVar(&o.timeout, "timeout", o.timeout, "")
	if err := fs.Parse(args); err != nil {
		return o, fmt.Errorf("lab %s: %w", verb, err)
	}
	if _, ok := lab.Topologies()[o.topology]; !ok {
		return o, fmt.Errorf("lab %s: no topology %q", verb, o.topology)
	}
	if rest := fs.Args(); len(rest) > 0 {
		o.command = rest
	}
	return o, nil
}

func defaultKernel() string {
	if list := os.Getenv(lab.EnvKernel); list != "" {
		return list
	}
	return string(depot.Linux7)
}

// run runs a command in a VM.
func run(ctx context.Context, args []string) (int, error) {
	o, err := parse("run", args, options{topology: "none", timeout: 10 * time.Minute})
	if err == nil && len(o.command) == 0 {
		err = errors.New("lab run: no command\n" + usage)
	}
	if err != nil {
		return statusLabFailed, err
	}
	conf, err := o.config()
	if err != nil {
		return statusLabFailed, err
	}
	conf.Stdout, conf.Stderr = os.Stdout, os.Stderr
	return o.boot(ctx, conf)
}

// shell opens a shell in a VM.
func shell(ctx context.Context, args []string) (int, error) {
	o, err := parse("shell", args, options{topology: "demo", timeout: 24 * time.Hour, command: []string{"bash", "--norc", "-i"}})
	if err != nil {
		return statusLabFailed, err
	}
	conf, err := o.config()
	if err != nil {
		return statusLabFailed, err
	}
	conf.TTY = true
	conf.Env = append(conf.Env, `PS1=lab-`+string(conf.Kernel)+`\$ `, bannerVariable+"=1")
	fmt.Fprintln(os.Stderr, "lab: booting, some seconds...")
	return o.boot(ctx, conf)
}

// config makes this program, in the guest, build the topology and become the command.
func (o options) config() (lab.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return lab.Config{}, err
	}
	series, err := depot.ParseSeries(o.kernel)
	if err != nil {
		return lab.Config{}, err
	}
	conf := lab.Config{
		Kernel:  series[0],
		Command: append([]string{self, guestVerb, o.topology}, o.command...),
		Timeout: o.timeout,
		Log:     os.Stderr,
	}
	if o.path != "" {
		dir, err := filepath.Abs(o.path)
		if err != nil {
			return conf, err
		}
		conf.Path = []string{dir}
	}
	return conf, nil
}

func (o options) boot(ctx context.Context, conf lab.Config) (int, error) {
	r, err := lab.Run(ctx, conf)
	if o.console != "" {
		err = errors.Join(err, saveConsole(o.console, r))
	}
	if err != nil {
		return statusLabFailed, err
	}
	return r.Status, nil
}

func saveConsole(name string, r vm.Result) error {
	return os.WriteFile(name, r.Console, 0o644)
}
