package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
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
			if err != nil {
				return err
			}
			d := job.Devices[len(job.Devices)-1]
			job.Operation = &takedown.Operation{Kind: takedown.Move, Device: d.Name, Index: d.Index.Or(0), Netns: c.Args().Get(1), NetnsFile: ns}
			job.Losses = takedown.LossesOf(d)
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
		return usagef("%s takes %s, and got %d arguments", c.Command.HelpName, c.Command.ArgsUsage, c.NArg())
	}
	return inv.change(c, func(ctx context.Context) error {
		o := takedown.Operation{Kind: takedown.Bind, PCI: c.Args().First()}
		return o.Perform(ctx, kernelLimit, inv.printer().Note)
	})
}
