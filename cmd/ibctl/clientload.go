package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

const argsClient = "NAME"

func clientLoadCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "load", Usage: "have ibctl serve start a client and add it to every device",
		ArgsUsage: argsClient,
		Description: `NAME is a built-in client, or one of the configuration, which is read anew. Returns
when the client has been added to every device. Takes root.`,
		UsageText: "ibctl client load cm\tafter it was unloaded, or gave up",
		Action: inv.changeClient(func(ctx context.Context, d *daemonConn, name string) error {
			_, err := d.LoadClient(ctx, &apiv1.LoadClientRequest{Name: name})
			return err
		}),
	}
}

func clientUnloadCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "unload", Usage: "have ibctl serve remove a client from every device and end it",
		ArgsUsage: argsClient,
		Description: `Returns when the client is off every device and its process is gone. With --timeout
it stops waiting; the client is unloaded all the same. It is loaded again when
ibctl serve starts. Takes root.`,
		UsageText: "ibctl client unload roce\tbefore its plugin is replaced, say",
		Action: inv.changeClient(func(ctx context.Context, d *daemonConn, name string) error {
			_, err := d.UnloadClient(ctx, &apiv1.UnloadClientRequest{Name: name})
			return err
		}),
	}
}

// changeClient asks ibctl serve to change what it does with a client.
func (inv *invocation) changeClient(change func(context.Context, *daemonConn, string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() != 1 {
			return usagef("%s takes one client, and got %d", c.Command.HelpName, c.NArg())
		}
		ctx, cancel := inv.limit(c.Context)
		defer cancel()
		ctx, stop := interruptible(ctx)
		defer stop()
		d, err := inv.needDaemon(ctx)
		if err == nil {
			err = plainStatus(change(ctx, d, c.Args().First()))
		}
		return orInterruption(ctx, err)
	}
}

// needDaemon is askDaemon for verbs that can do nothing without.
func (inv *invocation) needDaemon(ctx context.Context) (*daemonConn, error) {
	if inv.root != "" || inv.socket == noSocket {
		return nil, usagef("this is for ibctl serve to do: it goes neither with --root nor with --socket %s", noSocket)
	}
	d, err := inv.askDaemon(ctx)
	switch {
	case err != nil:
		return nil, err
	case d != nil:
		inv.printer().Warn(inv.notes...)
		return d, nil
	case inv.without != nil:
		return nil, inv.without
	}
	return nil, api.ErrNotRunning
}
