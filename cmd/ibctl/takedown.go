package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/takedown"
)

// kernelLimit is how long the kernel is given for an operation without --timeout.
const kernelLimit = time.Minute

const takedownFlagsHelp = `Holders that the kernel would wait for, or that would lose the device in mid-use,
are named, and nothing is changed; --evict ends their processes instead.`

// takedownFlags are those of verbs that a device must not be in use for.
func takedownFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "evict", Usage: "end the processes of holders that are in the way: `SIGNAL` is term, or kill for those that SIGTERM does not move"},
		&cli.DurationFlag{Name: "grace", Usage: "they have `DURATION` to end by themselves, such as 30s; 10s without"},
		&cli.BoolFlag{Name: "cut-off", Usage: "go on though holders lose the device in mid-use, if nothing waits for them"},
		&cli.BoolFlag{Name: "dry-run", Usage: "show the steps and what becomes of each holder, and change nothing"},
	}
}

// takeDown is the action of a verb that takes one device down; prepare fills in
// what it is for.
func (inv *invocation) takeDown(prepare func(context.Context, *cli.Context, *takedown.Job, []rdma.Device) error, args int) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() != args {
			return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
		}
		job, err := takedownJob(c)
		if err == nil {
			err = inv.mayChange(c, c.Bool("dry-run"))
		}
		if err != nil {
			return err
		}
		ctx, cancel := inv.limit(c.Context)
		defer cancel()
		ctx, stop := interruptible(ctx)
		defer stop()
		return orInterruption(ctx, inv.runTakedown(ctx, c, job, prepare))
	}
}

// takedownJob reads the flags.
func takedownJob(c *cli.Context) (*takedown.Job, error) {
	job := &takedown.Job{Eviction: takedown.Eviction(c.String("evict")), Grace: c.Duration("grace"), CutOff: c.Bool("cut-off")}
	if !slices.Contains([]takedown.Eviction{takedown.NoEviction, takedown.Terminate, takedown.Kill}, job.Eviction) {
		return nil, usagef("--evict %s: want %s or %s", job.Eviction, takedown.Terminate, takedown.Kill)
	}
	if job.Grace < 0 {
		return nil, usagef("--grace %v: patience is not negative", job.Grace)
	}
	return job, nil
}

// mayChange refuses who may not change devices before anything is looked at.
func (inv *invocation) mayChange(c *cli.Context, dryRun bool) error {
	if err := inv.onlyHere(c); err != nil || dryRun {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s takes root: %w", c.Command.HelpName, syscall.EPERM)
	}
	return nil
}

func (inv *invocation) runTakedown(ctx context.Context, c *cli.Context, job *takedown.Job, prepare func(context.Context, *cli.Context, *takedown.Job, []rdma.Device) error) error {
	found, all, err := inv.takedownTarget(ctx, c)
	if err != nil {
		return err
	}
	job.Progress = inv.printer().Note
	job.Limit = kernelLimit
	if inv.timeout > 0 {
		job.Limit = 0 // ctx is the limit
	}
	job.Devices = withSubDevices(devicesOf(found.targets), all)
	if err := prepare(ctx, c, job, all); err != nil {
		return err
	}
	roots := withoutSubDevices(job.Devices)
	job.Look = func(ctx context.Context) ([]holders.Report, []rdma.Warning, error) {
		return inv.reportHolders(ctx, roots)
	}
	if c.Bool("dry-run") {
		err = job.Plan(ctx)
	} else {
		err = inv.runJob(ctx, job)
	}
	return inv.printTakedown(found, job, err)
}

// takedownTarget finds the one device that the first argument names, and all
// others there are.
func (inv *invocation) takedownTarget(ctx context.Context, c *cli.Context) (found, []rdma.Device, error) {
	f, err := inv.targets(ctx, c.Args().Slice()[:1], host.Full)
	if err != nil {
		return f, nil, err
	}
	if len(f.problems) > 0 {
		return f, nil, f.problems
	}
	if t := f.targets[0]; t.given {
		return f, nil, usagef("%s: %s takes a device, not a port", t.name(), c.Command.HelpName)
	}
	everything, err := inv.targets(ctx, nil, host.Summary)
	return f, devicesOf(everything.targets), err
}

// runJob does the job, while no other ibctl is at work on the devices.
func (inv *invocation) runJob(ctx context.Context, job *takedown.Job) (err error) {
	if job.Service, err = inv.takedownService(ctx); err != nil {
		return err
	}
	lock, err := drained.Open(drained.Dir).Lock(job.Devices...)
	if err != nil {
		return err
	}
	defer lock.Release()
	store := drained.Open(drained.Dir)
	before := drainedOf(store, job.Devices)
	if err = job.Run(ctx); err != nil && job.Keep {
		inv.drainNone(ctx, job, store, before)
	}
	if err != nil || job.Operation == nil {
		return err
	}
	inv.forgetDrained(job.Devices)
	for _, d := range job.Devices {
		if err := inv.untilServed(ctx, d.Name, false); err != nil {
			return err
		}
	}
	return nil
}

// drainedOf returns the names of those devices that are drained, or may be, for
// nobody can read whether they are.
func drainedOf(store drained.Store, devices []rdma.Device) map[string]bool {
	found := map[string]bool{}
	for _, d := range devices {
		if _, is, err := store.Get(d); is || err != nil {
			found[d.Name] = true
		}
	}
	return found
}

// drainNone puts back what a job that failed has drained: a device and its parts
// are drained together or not at all. The device goes first, as in an undrain.
func (inv *invocation) drainNone(ctx context.Context, job *takedown.Job, store drained.Store, before map[string]bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	after := drainedOf(store, job.Devices)
	for _, d := range slices.Backward(job.Devices) {
		if !after[d.Name] || before[d.Name] {
			continue
		}
		if err := inv.putIntoService(ctx, job.Service, store, d); err != nil {
			job.Warnings = append(job.Warnings, rdma.Warning{Object: d.Name, Op: "put back into service", Err: err})
		}
	}
}

// forgetDrained ends the records of devices that are gone, as ibctl serve does.
func (inv *invocation) forgetDrained(devices []rdma.Device) {
	for _, d := range devices {
		index, ok := d.Index.Get()
		if !ok {
			continue // it never was
		}
		if err := drained.Open(drained.Dir).Forget(index); err != nil {
			inv.printer().Warn(rdma.Warning{Object: d.Name, Op: "forget that it was drained", Err: err})
		}
	}
}

// withSubDevices puts before each device what the kernel removes with it.
func withSubDevices(devices, all []rdma.Device) []rdma.Device {
	var list []rdma.Device
	for _, d := range devices {
		for _, sub := range all {
			if sub.Parent == d.Name && sub.Name != d.Name {
				list = append(list, withSubDevices([]rdma.Device{sub}, all)...)
			}
		}
		list = append(list, d)
	}
	return list
}

// withoutSubDevices leaves out those that belong to one of the others: a report
// on a device has their holders, too.
func withoutSubDevices(devices []rdma.Device) []rdma.Device {
	return slices.DeleteFunc(slices.Clone(devices), func(d rdma.Device) bool {
		return slices.ContainsFunc(devices, func(parent rdma.Device) bool { return d.Parent == parent.Name && d.Name != parent.Name })
	})
}

// printTakedown says what was done, or would be. People are told only of plans and
// failures, and of what failed there is no document.
func (inv *invocation) printTakedown(f found, job *takedown.Job, failed error) error {
	f.warnings = append(inv.exceptWithout(f.warnings, failed), job.Warnings...)
	planned := slices.ContainsFunc(job.Steps, func(s takedown.Step) bool { return !s.Done })
	if !planned && (failed != nil || !inv.format.Structured()) {
		inv.printer().Warn(f.warnings...)
		return inv.takedownFailure(job, failed)
	}
	err := output.Print(inv.printer(), output.Result[takedown.Step]{
		Kind: "Takedown", Items: job.Steps, Warnings: f.warnings,
		Body: output.Rows(numbered(job.Steps), stepColumns),
		Name: func(s takedown.Step) string { return s.Device },
	})
	return cmp.Or(inv.takedownFailure(job, failed), err)
}

// exceptWithout leaves out that the verb does without ibctl serve, if it has refused
// to.
func (inv *invocation) exceptWithout(warnings []rdma.Warning, failed error) []rdma.Warning {
	if failed == nil || !errors.Is(failed, inv.without) {
		return warnings
	}
	return slices.DeleteFunc(warnings, func(w rdma.Warning) bool { return w.Op == opWithout })
}

// takedownFailure lists who is in the way one by one.
func (inv *invocation) takedownFailure(job *takedown.Job, err error) error {
	busy, ok := errors.AsType[takedown.Busy](err)
	if !ok {
		return err
	}
	if job.Eviction == takedown.NoEviction {
		inv.hint("nothing was changed; --evict ends their processes")
	}
	return problems(busy)
}

// numberedStep is a row of the plan.
type numberedStep struct {
	takedown.Step
	number int
}

func numbered(steps []takedown.Step) []numberedStep {
	rows := make([]numberedStep, len(steps))
	for i, s := range steps {
		rows[i] = numberedStep{s, i + 1}
	}
	return rows
}

var stepColumns = []output.Column[numberedStep]{
	{Header: "STEP", Cell: func(s numberedStep) string { return strconv.Itoa(s.number) }, Right: true},
	{Header: "DEVICE", Cell: func(s numberedStep) string { return s.Device }},
	{Header: "ACTION", Cell: func(s numberedStep) string { return actionText(s.Action) }},
	{Header: "HOLDER", Cell: func(s numberedStep) string {
		if s.Holder == nil {
			return ""
		}
		return takedown.Who(*s.Holder)
	}},
	{Header: "EFFECT", Cell: func(s numberedStep) string {
		if s.Holder == nil {
			return ""
		}
		return effectText(*s.Holder)
	}},
	{Header: "DETAIL", Cell: func(s numberedStep) string {
		if s.Holder != nil {
			return s.Holder.Reason
		}
		return s.Detail
	}},
}

// actionText is the action for people.
func actionText(a takedown.Action) string {
	switch a {
	case takedown.Refuse:
		return "refuse"
	case takedown.Evict:
		return "end the process"
	case takedown.CutOff:
		return "cut off"
	case takedown.Leave:
		return "leave alone"
	case takedown.TakeOff:
		return "take client off"
	case takedown.LookAgain:
		return "look again"
	case takedown.Drained:
		return "stay drained"
	case takedown.Operate:
		return "ask the kernel"
	case takedown.PutBack:
		return "put back"
	}
	return string(a)
}
