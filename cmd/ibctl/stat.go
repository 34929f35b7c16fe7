package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

func statCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "stat", Category: categoryShow, Usage: "counters of devices, ports and queue pairs",
		Subcommands: []*cli.Command{
			statShowCommand(inv), statQPCommand(inv), statMRCommand(inv), statModeCommand(inv), statSetCommand(inv), statUnsetCommand(inv),
		},
	}
}

func statShowCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "show", Aliases: []string{"list"}, Usage: "every counter that the kernel has, from wherever it has it",
		ArgsUsage: argsPorts,
		Description: `Puts together what the port's management agent counts and what the driver counts,
in sysfs and over netlink. Data is counted in octets.`,
		UsageText: "ibctl stat show mlx5_0/1 --errors --nonzero\twhat has gone wrong at a port\n" +
			"ibctl stat show --watch\twhat happens now, every second, with rates\n" +
			"ibctl stat show mlx5_0 -o rdma-json\tas rdma -j statistic show",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "nonzero", Usage: "only counters that are not zero"},
			&cli.BoolFlag{Name: "errors", Usage: "only counters of what should not happen"},
		}, watchFlags("show what changed, with rates")...),
		Action: inv.statShow,
	}
}

// statItem is the item of a CounterList document.
type statItem struct {
	counters.Counter
	// Time and Rate are there while counters are watched.
	Time rdma.Opt[time.Time] `json:"time,omitzero"`
	Rate rdma.Opt[float64]   `json:"per_second,omitzero"`

	index rdma.Opt[uint32] // of the device
	at    time.Time
}

// name returns what the counter belongs to, as an argument of ibctl.
func (i statItem) name() string {
	if port, ok := i.Port.Get(); ok {
		return fmt.Sprintf("%s/%d", i.Device, port)
	}
	return i.Device
}

func (inv *invocation) statShow(c *cli.Context) error {
	if err := inv.checkWatch(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	r, err := counters.Open(inv.root)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	filter := statFilter{nonzero: c.Bool("nonzero"), errors: c.Bool("errors")}
	if c.Bool("watch") {
		ctx, stop := interruptible(ctx)
		defer stop()
		return inv.watchStats(ctx, r, c.Args().Slice(), filter, c.Duration("interval"), c.Uint("count"))
	}
	found, items, err := inv.readStats(ctx, r, c.Args().Slice())
	if err != nil {
		return err
	}
	return inv.printStats(found, filter.apply(items), statColumns)
}

// statFilter is what the flags of stat show let through.
type statFilter struct{ nonzero, errors bool }

func (f statFilter) apply(items []statItem) []statItem {
	return slices.DeleteFunc(items, func(i statItem) bool {
		return f.nonzero && i.Value == 0 || f.errors && !i.Error
	})
}

// readStats finds what the arguments name, and reads its counters.
func (inv *invocation) readStats(ctx context.Context, r *counters.Reader, args []string) (found, []statItem, error) {
	f, err := inv.targets(ctx, args, host.Summary)
	if err != nil {
		return f, nil, err
	}
	answer := askStats(ctx, r, f.targets)
	f.warnings = append(f.warnings, answer.warnings...)
	f.problems = append(f.problems, answer.problems...)
	return f, answer.items, ctx.Err()
}

func askStats(ctx context.Context, r *counters.Reader, targets []target) cmAnswer[statItem] {
	return askEach(targets, "read counters", func(t target, a *cmAnswer[statItem]) error {
		list, warnings, err := readTarget(ctx, r, t)
		now := time.Now()
		for _, c := range list {
			a.items = append(a.items, statItem{Counter: c, index: t.device.Index, at: now})
		}
		a.warnings = append(a.warnings, warnings...)
		if err == nil && len(list) == 0 && len(warnings) == 0 && t.named {
			a.warnings = append(a.warnings, rdma.Warning{Object: t.name(), Op: "read counters", Err: errNoCounters})
		}
		return err
	})
}

// errNoCounters is said to those who ask for the counters of what has none.
var errNoCounters = errors.New("the kernel shows none, to this network namespace at least")

func readTarget(ctx context.Context, r *counters.Reader, t target) ([]counters.Counter, []rdma.Warning, error) {
	if port, ok := t.port.Get(); ok {
		return r.Port(ctx, t.device, port)
	}
	return r.Device(ctx, t.device)
}

func (inv *invocation) printStats(f found, items []statItem, columns []output.Column[statItem]) error {
	if inv.format == output.Name { // one name a port, not one a counter
		items = slices.CompactFunc(items, func(a, b statItem) bool { return a.name() == b.name() })
	}
	return printResult(inv, f, output.Result[statItem]{
		Kind: "CounterList", Items: items, Warnings: f.warnings,
		Body: output.Rows(items, columns),
		Name: statItem.name,
		RDMA: rdmaStats,
	})
}
