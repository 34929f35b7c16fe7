package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// What the flags of gid resolve take.
const (
	argPort    = "DEV[/PORT]"
	argLibrary = "LIBRARY"
	// everyPort stands for all ports of all devices.
	everyPort = "all"
)

func gidResolveCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "resolve", Usage: "the one GID to use, and why not the others",
		Description: `At least one of --to, --from, --netdev and --device says what the GID must fit; what
several of them say must all fit. One of --to, --netdev and --device may be given more
than once, for several HCAs.`,
		UsageText: "ibctl gid resolve --to 10.0.0.7\tthe GID of a connection to a host\n" +
			"ibctl gid resolve --device mlx5_0/1\tthe best GID of a port\n" +
			"ibctl gid resolve --device mlx5_0,mlx5_1 --for nccl\tsettings for NCCL\n" +
			"ibctl gid resolve --netdev eth2.100 -o name\tof a VLAN, for a script",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "to", Usage: "for a connection to `ADDRESS`, or the name of a host"},
			&cli.StringFlag{Name: "from", Aliases: []string{"I"}, Usage: "from the address `ADDRESS` of this host"},
			&cli.StringSliceFlag{Name: "netdev", Usage: "a GID of the interface `NETDEV`"},
			&cli.StringSliceFlag{Name: "device", Usage: "a GID of `" + argPort + "`, for each of its ports; all means all ports"},
			&cli.StringFlag{Name: "type", Usage: "a GID of `TYPE`: v1, v2 or ib"},
			&cli.StringFlag{Name: "for", Usage: "print settings for `" + argLibrary + "`: nccl, ucx, mpi or plain"},
		},
		Action: inv.gidResolve,
	}
}

func (inv *invocation) gidResolve(c *cli.Context) error {
	library := c.String("for")
	if c.IsSet("for") && !slices.Contains(libenv.Libraries(), library) {
		return &usageError{problem: "--for " + library + ": no such library", candidates: libenv.Libraries()}
	}
	if err := noArguments(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	asked, err := inv.gidQuestions(ctx, c)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openSession(ctx, asked.devices, roce.Name)
	if err != nil {
		return orInterruption(ctx, err)
	}
	answers := askEachGID(ctx, s, asked.questions)
	var ports []libenv.Port
	if library != "" && len(answers.problems) == 0 {
		ports = answers.tables(ctx, s, asked.devices)
	}
	answers.warnings = append(answers.warnings, s.close()...)
	if err := orInterruption(ctx, nil); err != nil {
		return err
	}
	if library != "" {
		return inv.printSettings(library, answers, ports)
	}
	if inv.format == output.Name {
		answers.items = slices.DeleteFunc(answers.items, func(r gidResolution) bool { return !r.answered() })
	}
	return printResult(inv, found{problems: answers.problems, asked: len(asked.questions) + 1}, output.Result[gidResolution]{
		Kind: "GIDResolution", Items: answers.items, Warnings: append(inv.notes, answers.warnings...),
		Body: output.Records(gidResolutionRecords(answers.items)),
		Name: gidResolution.name,
	})
}

// gidAnswers are what came of asking.
type gidAnswers struct {
	items    []gidResolution
	warnings []rdma.Warning
	problems problems
}

// askEachGID asks one question after the other.
func askEachGID(ctx context.Context, s session, questions []gidQuestion) (all gidAnswers) {
	client := rocev1.NewRoCEClient(s.conn(roce.Name))
	for _, q := range questions {
		item, warnings, err := q.ask(ctx, s, client)
		all.warnings = append(all.warnings, warnings...)
		switch {
		case err == nil:
			all.items = append(all.items, item)
			if item.Problem == "" {
				continue
			}
			err = &noGIDError{q.text, item.Problem}
			if q.wish {
				all.warnings = append(all.warnings, rdma.Warning{Object: q.text, Op: "choose a GID", Err: err})
				continue
			}
		}
		all.problems = append(all.problems, plainStatus(err))
	}
	if !slices.ContainsFunc(all.items, gidResolution.answered) && len(all.problems) == 0 {
		all.problems = problems{&noGIDError{everyPort, "no port has a GID that fits"}}
	}
	return all
}

// noGIDError says that nothing fits: there is no guess.
type noGIDError struct{ question, problem string }

// Error implements error.
func (e *noGIDError) Error() string { return e.question + ": " + e.problem }

// tables reads the GID tables of the devices that were chosen: whether a library
// finds a GID by itself depends on all of the table.
func (a *gidAnswers) tables(ctx context.Context, s session, devices []rdma.Device) []libenv.Port {
	var chosen []target
	for _, d := range devices {
		if slices.ContainsFunc(a.items, func(r gidResolution) bool { return r.answered() && r.Chosen.Device == d.Name }) {
			chosen = append(chosen, target{device: d})
		}
	}
	ports, warnings := libraryPorts(ctx, s, chosen)
	a.warnings = append(a.warnings, warnings...)
	return ports
}

// libraryPorts reads devices the way libraries see them.
func libraryPorts(ctx context.Context, s session, targets []target) (ports []libenv.Port, warnings []rdma.Warning) {
	for _, t := range targets {
		a := askTarget(ctx, s, t, false)
		warnings = append(warnings, a.warnings...)
		for _, err := range a.problems {
			warnings = append(warnings, rdma.Warning{Object: t.name(), Op: "read GIDs", Err: err})
		}
		for _, p := range t.device.Ports {
			port := libenv.Port{Device: t.device.Name, Number: p.Number, Link: p.LinkLayer, State: p.State, Netdev: p.Netdev, Unread: len(a.problems) > 0}
			for _, item := range a.items {
				if item.Port == p.Number {
					port.Table = append(port.Table, item.GIDEntry)
				}
			}
			ports = append(ports, port)
		}
	}
	return ports, warnings
}
