package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/output"
)

func statMRCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "mr", Usage: "counters that memory regions have to themselves",
		ArgsUsage: argsDevices,
		Description: `What drivers count of single regions: the page faults of those that are paged on
demand, for instance. Regions of which nothing is counted are left out, but with -a.`,
		UsageText: "ibctl stat mr mlx5_0\tof one device\nibctl stat mr -j\twith every counter",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "regions of which nothing is counted, too"}},
		Action:    inv.statMR,
	}
}

func (inv *invocation) statMR(c *cli.Context) error {
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	found, items, err := askCounters(inv, c, c.Args().Slice(), "list memory region counters",
		func(ctx context.Context, r *counters.Reader, t target, a *cmAnswer[counters.MRSet]) error {
			if t.given {
				return usagef("%s: memory regions belong to a device, not to a port", t.name())
			}
			sets, warnings, err := r.MRs(ctx, t.device)
			a.items, a.warnings = sets, warnings
			return err
		})
	if err != nil {
		return err
	}
	if !c.Bool("all") {
		items = slices.DeleteFunc(items, func(s counters.MRSet) bool { return len(s.Counters) == 0 })
	}
	return printResult(inv, found, output.Result[counters.MRSet]{
		Kind: "MRCounterList", Items: items, Warnings: found.warnings,
		Body: output.Rows(items, mrSetColumns),
		Name: mrSetName,
		RDMA: rdmaMRSets,
	})
}

// mrSetName is the region's name, as res mr has it.
func mrSetName(s counters.MRSet) string { return s.Device + "/mr/" + text(s.MRN) }

var mrSetColumns = []output.Column[counters.MRSet]{
	{Header: "DEVICE", Cell: func(s counters.MRSet) string { return s.Device }},
	{Header: "MRN", Cell: func(s counters.MRSet) string { return text(s.MRN) }, Right: true},
	{Header: "COUNTERS", Cell: func(s counters.MRSet) string { return countersText(s.Counters) }},
}

func countersText(list []counters.Counter) string {
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = c.Name + "=" + strconv.FormatUint(c.Value, 10)
	}
	return strings.Join(texts, " ")
}
