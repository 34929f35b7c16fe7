package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/subsystem"
)

// argsDevSetting is what dev set takes as arguments.
const argsDevSetting = "DEV SETTING VALUE"

func devSetCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "change a setting of a device",
		ArgsUsage: argsDevSetting,
		Description: `SETTING is adaptive-moderation, with on or off: whether completion queues that
are made afterwards moderate their interrupts by load. Or it is node-desc, with
a text of at most 64 octets: what the fabric calls this node.`,
		UsageText: "ibctl dev set mlx5_0 adaptive-moderation off\tfewer microseconds, more interrupts\n" +
			"ibctl dev set mlx5_0 node-desc 'node17 rail 3'\tuntil rdma-ndd or a reload sets another",
		Action: inv.devSet,
	}
}

func devSettingNames() []string { return []string{"adaptive-moderation", "node-desc"} }

func (inv *invocation) devSet(c *cli.Context) error {
	setting, value := c.Args().Get(1), c.Args().Get(2)
	switch {
	case c.NArg() != 3:
		return usagef("%s takes %s, and %s", c.Command.HelpName, c.Command.ArgsUsage, gotArguments(c.NArg()))
	case !slices.Contains(devSettingNames(), setting):
		return &usageError{problem: fmt.Sprintf("%q: no such setting", setting), candidates: devSettingNames()}
	case setting == "adaptive-moderation" && value != "on" && value != "off":
		return usagef("adaptive-moderation: want on or off")
	case setting == "node-desc" && (value == "" || len(value) > subsystem.MaxNodeDesc || strings.ContainsAny(value, "\n\x00")):
		return usagef("node-desc: want a line of 1 to %d octets", subsystem.MaxNodeDesc)
	}
	return inv.change(c, func(ctx context.Context) error {
		found, _, err := inv.takedownTarget(ctx, c)
		if err != nil {
			return err
		}
		d := found.targets[0].device
		if setting == "node-desc" {
			return setNodeDesc(d, value)
		}
		return withSubsystem(func(s *subsystem.Subsystem) error {
			return s.SetAdaptiveModeration(ctx, d.Index.Or(0), value == "on")
		})
	})
}

// setNodeDesc says what it means that a driver fails: most do not know how.
func setNodeDesc(d rdma.Device, text string) error {
	err := subsystem.SetNodeDesc(d.Name, text)
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EOPNOTSUPP) {
		return fmt.Errorf("%w; the driver of %s takes no node description: %w", err, d.Name, syscall.EOPNOTSUPP)
	}
	return err
}

// addSubDevice is dev add --type smi.
func (inv *invocation) addSubDevice(c *cli.Context) error {
	name, parent := c.Args().First(), c.String("parent")
	switch {
	case parent == "":
		return usagef("--parent is missing: which device is it to be a part of?")
	case c.IsSet("netdev"):
		return usagef("--netdev does not go with --type smi: a sub-device lies on its parent")
	}
	if err := checkName(name); err != nil {
		return err
	}
	return inv.change(c, func(ctx context.Context) error {
		found, err := inv.targets(ctx, []string{parent}, 0)
		if err != nil {
			return err
		}
		if len(found.problems) > 0 {
			return found.problems
		}
		if t := found.targets[0]; t.given {
			return usagef("%s: --parent takes a device, not a port", t.name())
		}
		err = withSubsystem(func(s *subsystem.Subsystem) error {
			return s.AddSubDevice(ctx, found.targets[0].device.Index.Or(0), name)
		})
		if errors.Is(err, syscall.EOPNOTSUPP) {
			return fmt.Errorf("%w: the driver of %s makes no sub-devices", err, parent)
		}
		if err != nil {
			return err
		}
		return inv.untilServed(ctx, name, true)
	})
}
