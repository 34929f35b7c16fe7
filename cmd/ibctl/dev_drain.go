package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/takedown"
)

const argsDevice = "DEV"

func devDrainCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "drain", Usage: "take a device out of service, in order, and leave it there",
		ArgsUsage: argsDevice,
		Description: takedownFlagsHelp + `

Then every client's Remove is called, the last one added first. The device stays
drained, ibctl's clients keep off it, until ibctl dev undrain, or until it is gone.`,
		UsageText: "ibctl dev drain mlx5_0 --dry-run\twhat would happen\n" +
			"ibctl dev drain mlx5_0\tor a refusal that says who is in the way\n" +
			"ibctl dev drain mlx5_0 --evict term\tend those who are",
		Flags: takedownFlags(),
		Action: inv.takeDown(func(_ context.Context, _ *cli.Context, job *takedown.Job, _ []rdma.Device) error {
			job.Keep = true
			return nil
		}, 1),
	}
}

func devUndrainCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "undrain", Usage: "put a drained device back into service",
		ArgsUsage: argsDevice,
		Description: `Returns when every client has been added to the device. One that is in service
is left alone.`,
		UsageText: "ibctl dev undrain mlx5_0\tafter ibctl dev drain",
		Action:    inv.devUndrain,
	}
}

func (inv *invocation) devUndrain(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
	}
	if err := inv.mayChange(c, false); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	found, all, err := inv.takedownTarget(ctx, c)
	if err != nil {
		return orInterruption(ctx, err)
	}
	err = inv.undrain(ctx, found.targets[0].device, all)
	inv.printer().Warn(inv.exceptWithout(found.warnings, err)...)
	return orInterruption(ctx, err)
}

// undrain puts a device and its sub-devices back, itself first.
func (inv *invocation) undrain(ctx context.Context, d rdma.Device, all []rdma.Device) error {
	store := drained.Open(drained.Dir)
	if err := parentServes(store, d, all); err != nil {
		return err
	}
	devices := withSubDevices([]rdma.Device{d}, all)
	lock, err := store.Lock(devices...)
	if err != nil {
		return err
	}
	defer lock.Release()
	service, err := inv.takedownService(ctx)
	if err != nil {
		return err
	}
	for i := len(devices) - 1; i >= 0; i-- {
		if err := inv.undrainOne(ctx, service, store, devices[i]); err != nil {
			return err
		}
	}
	return nil
}

// parentServes refuses a part of a device that is drained, or may be.
func parentServes(store drained.Store, d rdma.Device, all []rdma.Device) error {
	for _, parent := range all {
		if parent.Name != d.Parent {
			continue
		}
		switch _, is, err := store.Get(parent); {
		case err != nil:
			return fmt.Errorf("%s belongs to %s: %w", d.Name, parent.Name, err)
		case is:
			return fmt.Errorf("%s belongs to %s, which is drained: undrain that one: %w", d.Name, parent.Name, syscall.EBUSY)
		}
	}
	return nil
}

// undrainOne needs not know whether a device is drained, for it is not afterwards:
// a record that nobody can read is removed like any other, and mentioned.
func (inv *invocation) undrainOne(ctx context.Context, service takedown.Service, store drained.Store, d rdma.Device) error {
	_, _, unread := store.Get(d)
	err := inv.putIntoService(ctx, service, store, d)
	if err == nil && unread != nil {
		inv.printer().Warn(rdma.Warning{Object: d.Name, Op: "undrain", Err: fmt.Errorf("%w; the record is removed", unread)})
	}
	return err
}

func (inv *invocation) putIntoService(ctx context.Context, service takedown.Service, store drained.Store, d rdma.Device) error {
	daemon, ok := service.(daemonDrains)
	if !ok {
		return store.Forget(d.Index.Or(0))
	}
	_, err := daemon.daemon.Undrain(ctx, &apiv1.UndrainRequest{Device: &apiv1.KernelDevice{Index: d.Index.Or(0)}})
	return plainStatus(err)
}

// drainedError says that no client is on a device, and until when. It is
// core.ErrDrained.
type drainedError struct {
	device string
	since  time.Time
}

// Error implements error.
func (e *drainedError) Error() string {
	return fmt.Sprintf("%s is drained, since %s: ibctl dev undrain %s puts it back into service", e.device, e.since.Local().Format(time.DateTime), e.device)
}

// Unwrap returns what it is.
func (e *drainedError) Unwrap() error { return core.ErrDrained }

// outOfService returns an error for a device that no client is to be added to: one
// that is drained, or may be, for nobody can read whether it is.
func outOfService(d rdma.Device) error {
	e, is, err := drained.Open(drained.Dir).Get(d)
	switch {
	case err != nil:
		return err
	case is:
		return &drainedError{d.Name, e.Since}
	}
	return nil
}

// deviceItem is the item of a DeviceList document: a device as the kernel has it,
// and what ibctl does with it.
type deviceItem struct {
	rdma.Device
	DrainedSince rdma.Opt[time.Time] `json:"drained_since,omitzero"`
}

// deviceItems adds what ibctl knows. Of a device that may be drained or not there
// is a warning.
func (inv *invocation) deviceItems(devices []rdma.Device) (items []deviceItem, warnings []rdma.Warning) {
	for _, d := range devices {
		item := deviceItem{Device: d}
		if err := outOfService(d); err != nil && inv.root == "" {
			if e, ok := errors.AsType[*drainedError](err); ok {
				item.DrainedSince = rdma.Known(e.since)
			} else {
				warnings = append(warnings, rdma.Warning{Object: d.Name, Op: "tell whether it is drained", Err: err})
			}
		}
		items = append(items, item)
	}
	return items, warnings
}
