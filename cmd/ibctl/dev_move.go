package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/takedown"
)

const (
	argsNetns = "DEV NETNS"
	argsPCI   = "PCI"
)

func devNetnsCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "netns", Usage: "drain a device and move it to another network namespace",
		ArgsUsage: argsNetns,
		Description: `NETNS is a name (of ip netns), the number of a process, or a path. It takes the
exclusive mode of rdma system, and a driver that can do it. What the kernel forgets
in a move, the connection manager's defaults, is set again.

` + takedownFlagsHelp,
		UsageText: "ibctl dev netns mlx5_2 tenant1\tto a named one\n" +
			"ibctl dev netns mlx5_2 4711\tto that of a process",
		Flags: takedownFlags(),
		Action: inv.takeDown(func(ctx context.Context, c *cli.Context, job *takedown.Job, _ []rdma.Device) error {
			ns, err := takedown.OpenNetns(c.Args().Get(1))
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("network namespace %q %w", c.Args().Get(1), host.ErrNotFound)
			}
			if err != nil {
				return err
			}
			d := job.Devices[len(job.Devices)-1]
			job.Operation = &takedown.Operation{Kind: takedown.Move, Device: d.Name, Index: d.Index.Or(0), Netns: c.Args().Get(1), NetnsFile: ns}
			job.Losses = takedown.LostByMove(d, ns)
			return takedown.CheckMove(ctx)
		}, 2),
	}
}

func devBindCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "bind", Usage: "give a PCI function to its driver, after remove",
		ArgsUsage:   argsPCI,
		Description: `PCI is the address of the function. Returns when its device is there.`,
		UsageText:   "ibctl dev bind 0000:3b:00.0\tafter ibctl dev remove",
		Action:      inv.devBind,
	}
}

func (inv *invocation) devBind(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
	}
	return inv.change(c, func(ctx context.Context) error {
		f, err := takedown.FindFunction(c.Args().First())
		if err != nil {
			return err
		}
		if driver := f.Driver(); driver != "" {
			inv.hint(f.Address + " has the driver " + driver + " already")
			return nil
		}
		o := takedown.Operation{Kind: takedown.Bind, PCI: f.Address}
		if err := o.Perform(ctx, kernelLimit, inv.printer().Note); err != nil {
			return err
		}
		if f.Driver() == "" {
			return fmt.Errorf("bind a driver to %s: no driver that is loaded wants it", f.Address)
		}
		return inv.awaitDevice(ctx, f)
	})
}

// awaitDevice waits for the RDMA device of a function, which drivers make when
// they have the time. That there is none is no failure: it may be another kind of
// function.
func (inv *invocation) awaitDevice(ctx context.Context, f takedown.Function) error {
	wait, cancel := context.WithTimeout(ctx, servedLimit)
	defer cancel()
	for {
		for _, d := range inv.liveDevices() {
			if d.PCIAddress == f.Address {
				return inv.putBack(ctx, f, d.Name)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wait.Done():
			inv.printer().Warn(rdma.Warning{Object: f.Address, Op: "wait for its RDMA device", Err: fmt.Errorf("none within %v", servedLimit)})
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// putBack sets again what the kernel forgot when the function was unbound.
func (inv *invocation) putBack(ctx context.Context, f takedown.Function, name string) error {
	found, err := inv.targets(ctx, nil, host.Full)
	if err != nil {
		return err
	}
	done, warnings := takedown.PutBackFound(ctx, f.Address, devicesOf(found.targets))
	for _, what := range done {
		inv.hint("put back: " + what)
	}
	inv.printer().Warn(warnings...)
	return inv.untilServed(ctx, name, true)
}
