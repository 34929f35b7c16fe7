package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/takedown"
)

// What these verbs take as arguments.
const (
	argsNewDevice = "NEWNAME"
	argsRename    = "DEV NEWNAME"
)

// linkTypes are the soft devices that the kernel can make.
var linkTypes = []string{"rxe", "siw"}

// subDeviceType is what a device can have as a part of itself.
const subDeviceType = "smi"

func devAddCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "add", Usage: "make a soft device on a network interface, or a sub-device",
		ArgsUsage: argsNewDevice,
		Description: `Returns when the device is there and, with ibctl serve, when its clients have been
added.`,
		UsageText: "ibctl dev add rxe0 --type rxe --netdev eth0\tsoft RoCE\n" +
			"ibctl dev add smi0 --type smi --parent mlx5_0\ta sub-device",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "type", Usage: "what kind, `LINKTYPE`: rxe (soft RoCE) or siw (soft iWARP), or smi (a sub-device for management datagrams)"},
			&cli.StringFlag{Name: "netdev", Usage: "the network interface, `INTERFACE`"},
			&cli.StringFlag{Name: "parent", Usage: "with smi, the device that it is a part of, `PARENT`"},
		},
		Action: inv.devAdd,
	}
}

func (inv *invocation) devAdd(c *cli.Context) error {
	o := takedown.Operation{Kind: takedown.AddLink, Name: c.Args().First(), Type: c.String("type"), Netdev: c.String("netdev")}
	switch {
	case c.NArg() != 1:
		return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
	case o.Type == subDeviceType:
		return inv.addSubDevice(c)
	case !slices.Contains(linkTypes, o.Type):
		return usagef("--type %q: want rxe, siw or smi", o.Type)
	case c.IsSet("parent"):
		return usagef("--parent goes with --type smi")
	case o.Netdev == "":
		return usagef("--netdev is missing: which network interface is it to be on?")
	}
	if err := checkName(o.Name); err != nil {
		return err
	}
	return inv.change(c, func(ctx context.Context) error {
		err := o.Perform(ctx, kernelLimit, inv.printer().Note)
		switch {
		case errors.Is(err, syscall.ENODEV):
			return fmt.Errorf("network interface %q %w: %w", o.Netdev, host.ErrNotFound, err)
		case errors.Is(err, syscall.ENFILE): // the kernel's word for a name that is taken
			return fmt.Errorf("add link %s: there is a device of that name: %w", o.Name, syscall.EEXIST)
		case errors.Is(err, syscall.EINVAL):
			return fmt.Errorf("%w; the kernel has no type %q, or it does not go with %s", err, o.Type, o.Netdev)
		case err != nil:
			return err
		}
		return inv.untilServed(ctx, o.Name, true)
	})
}

// checkName refuses what the kernel takes and nobody wants to have
// (IB_DEVICE_NAME_MAX), and "%", for which it puts a number.
func checkName(name string) error {
	if name == "" || len(name) > 63 || slices.ContainsFunc([]byte(name), func(b byte) bool { return b <= ' ' || b >= 0x7f || b == '/' || b == '%' || b == '#' }) {
		return usagef("%q: a device's name has 1 to 63 printable characters, none of them a space, /, %% or #", name)
	}
	return nil
}

func devRenameCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "rename", Usage: "give a device another name",
		ArgsUsage:   argsRename,
		Description: "Whoever uses the device goes on using it: the kernel knows it by its index.",
		UsageText:   "ibctl dev rename mlx5_0 storage0\tsay",
		Action:      inv.devRename,
	}
}

func (inv *invocation) devRename(c *cli.Context) error {
	if c.NArg() != 2 {
		return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
	}
	name := c.Args().Get(1)
	if err := checkName(name); err != nil {
		return err
	}
	return inv.change(c, func(ctx context.Context) error {
		found, _, err := inv.takedownTarget(ctx, c)
		if err != nil {
			return err
		}
		d := found.targets[0].device
		lock, err := drained.Open(drained.Dir).Lock(d)
		if err != nil {
			return err
		}
		defer lock.Release()
		o := takedown.Operation{Kind: takedown.Rename, Device: d.Name, Index: d.Index.Or(0), Name: name}
		if err := o.Perform(ctx, kernelLimit, inv.printer().Note); err != nil {
			return err
		}
		return inv.untilServed(ctx, name, true)
	})
}

// change runs a verb that changes devices, with what all of them have around it.
func (inv *invocation) change(c *cli.Context, do func(context.Context) error) error {
	if err := inv.mayChange(c, false); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	return orInterruption(ctx, do(ctx))
}

// servedLimit is how long ibctl serve is given to follow a change.
const servedLimit = 10 * time.Second

// untilServed waits until ibctl serve, if there is one, has a device of that name
// on its list, or no more. What it makes of it is seen elsewhere: the change is
// done.
func (inv *invocation) untilServed(ctx context.Context, name string, there bool) error {
	d, err := inv.askDaemon(ctx)
	if err != nil || d == nil {
		return nil //nolint:nilerr // the device is there, and that was asked for
	}
	ctx, cancel := context.WithTimeout(ctx, servedLimit)
	defer cancel()
	for {
		served, err := d.serves(ctx, name)
		if served == there || err != nil && ctx.Err() == nil {
			return plainStatus(err)
		}
		select {
		case <-ctx.Done():
			inv.printer().Warn(rdma.Warning{Object: name, Op: "wait for ibctl serve", Err: context.Cause(ctx)})
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serves tells whether a device of that name is registered, in service or not.
func (d *daemonConn) serves(ctx context.Context, name string) (bool, error) {
	reply, err := d.ListDevices(ctx, &apiv1.ListDevicesRequest{})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(reply.GetDevices(), func(l *apiv1.ListedDevice) bool {
		return l.GetDevice().GetName() == name && (l.GetId() != nil || l.GetDrained())
	}), nil
}
