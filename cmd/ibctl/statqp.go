package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

func statQPCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "qp", Usage: "counters that queue pairs have to themselves",
		ArgsUsage: argsPorts,
		Description: `A set of counters belongs to one queue pair or to several; stat mode tells who gets
one. The table shows those that are not zero.`,
		UsageText: "ibctl stat qp mlx5_0/1\tof one port\nibctl stat qp -j\twith every counter",
		Action:    inv.statQP,
	}
}

func (inv *invocation) statQP(c *cli.Context) error {
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	found, items, err := askCounters(inv, c, c.Args().Slice(), "list queue pair counters",
		func(ctx context.Context, r *counters.Reader, t target, a *cmAnswer[counters.QPSet]) error {
			sets, warnings, err := r.QPs(ctx, t.device)
			a.warnings = append(a.warnings, warnings...)
			for _, s := range sets {
				if t.port.IsKnown() && s.Port.IsKnown() && s.Port != t.port {
					continue
				}
				a.items = append(a.items, s)
			}
			return err
		})
	if err != nil {
		return err
	}
	return printResult(inv, found, output.Result[counters.QPSet]{
		Kind: "QPCounterList", Items: items, Warnings: found.warnings,
		Body: output.Rows(items, qpSetColumns),
		Name: func(s counters.QPSet) string { return fmt.Sprintf("%s/%s", s.Device, text(s.Port)) },
		RDMA: rdmaQPSets,
	})
}

// askCounters finds what args name, and asks about each of them.
func askCounters[T any](inv *invocation, c *cli.Context, args []string, op string,
	ask func(ctx context.Context, r *counters.Reader, t target, a *cmAnswer[T]) error,
) (found, []T, error) {
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	r, err := counters.Open("")
	if err != nil {
		return found{}, nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	f, err := inv.targets(ctx, args, host.Summary)
	if err != nil {
		return f, nil, err
	}
	answer := askEach(f.targets, op, func(t target, a *cmAnswer[T]) error { return ask(ctx, r, t, a) })
	f.warnings = append(f.warnings, answer.warnings...)
	f.problems = append(f.problems, answer.problems...)
	return f, answer.items, ctx.Err()
}

func statModeCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "mode", Usage: "which counters of a port are optional, and which queue pairs get their own",
		ArgsUsage: argsPorts,
		UsageText: "ibctl stat mode mlx5_0/1\tof one port",
		Action: func(c *cli.Context) error {
			if err := inv.onlyHere(c); err != nil {
				return err
			}
			return inv.statMode(c, c.Args().Slice())
		},
	}
}

// statMode shows how the ports that args name count.
func (inv *invocation) statMode(c *cli.Context, args []string) error {
	found, items, err := askCounters(inv, c, args, "read the mode of counters",
		func(ctx context.Context, r *counters.Reader, t target, a *cmAnswer[counters.Mode]) error {
			for _, port := range portNumbers(t) {
				m, warnings, err := r.Mode(ctx, t.device, port)
				if err != nil {
					return err
				}
				a.items, a.warnings = append(a.items, m), append(a.warnings, warnings...)
			}
			return nil
		})
	if err != nil {
		return err
	}
	return printResult(inv, found, output.Result[counters.Mode]{
		Kind: "CounterModeList", Items: items, Warnings: found.warnings,
		Body: output.Rows(items, statModeColumns),
		Name: func(m counters.Mode) string { return fmt.Sprintf("%s/%d", m.Device, m.Port) },
		RDMA: rdmaModes,
	})
}

// portNumbers returns the ports that a target is about.
func portNumbers(t target) []uint32 {
	if port, ok := t.port.Get(); ok {
		return []uint32{port}
	}
	var all []uint32
	for _, p := range t.device.Ports {
		all = append(all, p.Number)
	}
	return all
}
