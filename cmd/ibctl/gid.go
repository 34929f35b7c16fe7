package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce"
)

func gidCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "gid", Category: categoryShow, Usage: "GID tables",
		Subcommands: []*cli.Command{
			{
				Name: "show", Aliases: []string{"list"}, Usage: "the GIDs of ports",
				ArgsUsage: argsGIDs, Description: gidArguments, UsageText: gidShowExamples,
				Flags:  gidFilterFlags(),
				Action: inv.gidShow,
			},
			gidResolveCommand(inv),
			gidAuditCommand(inv),
			gidExplainCommand(inv),
			gidWatchCommand(inv),
		},
	}
}

const (
	gidArguments = `DEV is a device's name (mlx5_0), its kernel index (#3), its node GUID, the PCI
address of its function, or the name of a network interface behind it. PORT and
INDEX narrow it down to a port and to a slot of its table.`

	gidShowExamples = "ibctl gid show mlx5_0/1 --type v2\tthe RoCE v2 GIDs of one port\n" +
		"ibctl gid show --ip 10.0.0.1\twhere an address is\n" +
		"ibctl gid show eth2 --netdev eth2.100\twhat a VLAN brought\n" +
		"ibctl gid show mlx5_0/1/3 -j\tone slot, as JSON"
)

// gidShow reads the tables that the arguments name, and prints what passes the
// filters.
func (inv *invocation) gidShow(c *cli.Context) error {
	filter, err := newGIDFilter(c)
	if err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	if err := inv.headStart(ctx, roce.Name); err != nil {
		return err
	}
	found, err := inv.targets(ctx, c.Args().Slice(), host.Summary)
	if err != nil {
		return err
	}
	answer, err := inv.askGIDs(ctx, found.targets, c.Bool("all"))
	if err != nil {
		return err
	}
	found.warnings = append(found.warnings, answer.warnings...)
	found.problems = append(found.problems, answer.problems...)
	items := slices.DeleteFunc(answer.items, func(i gidItem) bool { return !filter.passes(i) })
	return printResult(inv, found, output.Result[gidItem]{
		Kind: "GIDList", Items: items, Warnings: found.warnings,
		Body:   output.Rows(items, gidColumns),
		Name:   gidItem.name,
		Legacy: map[output.Format]func([]gidItem) []string{output.ShowGIDs: showGIDs},
	})
}
