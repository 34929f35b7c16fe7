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
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/subsystem"
)

// argsSetting is what system set takes as arguments.
const argsSetting = "SETTING VALUE"

func systemCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "system", Category: categoryShow, Usage: "the RDMA subsystem as a whole: namespaces, Q_Keys, fork, events",
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "its settings and properties", Action: inv.systemShow},
			{
				Name: "set", Usage: "change a setting",
				ArgsUsage: argsSetting,
				Description: `SETTING and VALUE are netns shared, netns exclusive, privileged-qkey on or
privileged-qkey off. The kernel changes netns only while there is no network
namespace but the first; those that there are, are listed.`,
				UsageText: "ibctl system set netns exclusive --dry-run\twhat stands in the way\n" +
					"ibctl system set privileged-qkey off\tas it is at boot",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "with netns, list what stands in the way, and change nothing"}},
				Action: inv.systemSet,
			},
		},
	}
}

// settings are what system set can change, and to what.
var settings = map[string][]string{
	"netns":           {subsystem.Shared, subsystem.Exclusive},
	"privileged-qkey": {"on", "off"},
}

// properties are shown, and nothing that anybody could set.
var properties = []string{"monitor", "copy-on-fork"}

func settingNames() []string { return []string{"netns", "privileged-qkey"} }

func (inv *invocation) systemShow(c *cli.Context) error {
	if err := errors.Join(noArguments(c), inv.onlyHere(c)); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	return withSubsystem(func(s *subsystem.Subsystem) error {
		state, err := s.State(ctx)
		if err != nil {
			return err
		}
		return output.Print(inv.printer(), output.Result[subsystem.State]{
			Kind: "SystemState", Items: []subsystem.State{state},
			Body: output.Records([]output.Record{{Title: "RDMA subsystem", Fields: []output.Field{
				{Label: "netns", Value: text(state.Netns)},
				{Label: "privileged-qkey", Value: onOff(state.PrivilegedQKey)},
				{Label: "monitor", Value: onOff(state.Monitor)},
				{Label: "copy-on-fork", Value: onOff(state.CopyOnFork)},
			}}}),
			Name: func(s subsystem.State) string { return text(s.Netns) },
			RDMA: rdmaSystem,
		})
	})
}

func withSubsystem(do func(*subsystem.Subsystem) error) error {
	s, err := subsystem.Open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what was written has been acknowledged
	return do(s)
}

func onOff(o rdma.Opt[bool]) string {
	v, known := o.Get()
	switch {
	case !known:
		return ""
	case v:
		return "on"
	}
	return "off"
}

func (inv *invocation) systemSet(c *cli.Context) error {
	setting, value := c.Args().Get(0), c.Args().Get(1)
	switch {
	case slices.Contains(properties, setting):
		return usagef("%s is a property of this kernel, and cannot be set", setting)
	case settings[setting] == nil:
		return &usageError{problem: fmt.Sprintf("%q: no such setting", setting), candidates: settingNames()}
	case c.NArg() != 2 || !slices.Contains(settings[setting], value):
		return usagef("%s: want %s", setting, strings.Join(settings[setting], " or "))
	case c.Bool("dry-run") && setting != "netns":
		return usagef("--dry-run goes with netns: nothing can stand in the way of %s", setting)
	case c.Bool("dry-run"):
		return inv.netnsPlan(c)
	}
	return inv.change(c, func(ctx context.Context) error {
		return withSubsystem(func(s *subsystem.Subsystem) error {
			if setting == "netns" {
				return inv.setNetns(ctx, s, value)
			}
			return s.SetPrivilegedQKey(ctx, value == "on")
		})
	})
}

// setNetns looks first, so that the refusal says why.
func (inv *invocation) setNetns(ctx context.Context, s *subsystem.Subsystem, mode string) error {
	state, err := s.State(ctx)
	if err != nil || text(state.Netns) == mode {
		return err
	}
	found, warnings, err := subsystem.Namespaces(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		inv.printer().Warn(warnings...)
		return newInTheWay(found, mode)
	}
	if err = s.SetNetns(ctx, mode); errors.Is(err, syscall.EBUSY) {
		inv.printer().Warn(warnings...)
		return fmt.Errorf("%w: there is a network namespace that no process or mount shows, which a socket or another mount namespace may keep alive", err)
	}
	return err
}

// netnsPlan prints what stands in the way.
func (inv *invocation) netnsPlan(c *cli.Context) error {
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, warnings, err := subsystem.Namespaces(ctx)
	if err != nil {
		return err
	}
	if err := output.Print(inv.printer(), output.Result[subsystem.Namespace]{
		Kind: "NamespaceList", Items: found, Warnings: warnings,
		Body: output.Rows(namespaceRows(found), namespaceColumns),
		Name: namespaceName,
	}); err != nil {
		return err
	}
	if len(found) > 0 {
		return newInTheWay(found, c.Args().Get(1))
	}
	return nil
}

// inTheWayError says that network namespaces keep the netns mode as it is.
type inTheWayError struct {
	namespaces []subsystem.Namespace
	mode       string
}

func newInTheWay(found []subsystem.Namespace, mode string) error { return &inTheWayError{found, mode} }

// Error implements error.
func (e *inTheWayError) Error() string {
	names := make([]string, len(e.namespaces))
	for i, n := range e.namespaces {
		names[i] = namespaceName(n)
	}
	return fmt.Sprintf("netns %s: the kernel changes it only while there is no network namespace but the first; in the way: %s", e.mode, strings.Join(names, ", "))
}

// Unwrap is what the kernel would say.
func (e *inTheWayError) Unwrap() error { return syscall.EBUSY }

// hint says how to have the mode without that.
func (e *inTheWayError) hint() string {
	return fmt.Sprintf("for the next boot: echo '%s' > %s, and where ib_core is in the initramfs, build that anew", subsystem.BootLine(e.mode), subsystem.BootFile)
}
