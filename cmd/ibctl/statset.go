package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
)

// argsPort is what verbs take that change one port.
const argsPort = "DEV/PORT"

const statChangeNeeds = `Changing needs CAP_NET_ADMIN. DEV alone will do for a device of one port.`

func statSetCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "switch optional counters on, and give counters to queue pairs",
		ArgsUsage: argsPort,
		Description: `--optional names the optional counters of the port that are to be on; the others go
off. --auto gives a counter set to the queue pairs made from now on that are of one
type, of one process, or both: type, pid or type,pid. --qp gives one to a single
queue pair, or with --set binds it to one that there is.
` + statChangeNeeds,
		UsageText: "ibctl stat set mlx5_0/1 --optional cc_rx_ce_pkts,cc_rx_cnp_pkts\tcount congestion\n" +
			"ibctl stat set mlx5_0/1 --auto pid\ta counter set for each process\n" +
			"ibctl stat set mlx5_0/1 --qp 178\ta counter set for one queue pair",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "optional", Usage: "have these `COUNTERS` on, a comma between them, and the others off"},
			&cli.StringFlag{Name: "auto", Usage: "count queue pairs together that share `WHAT`: type, pid or type,pid"},
			&cli.UintFlag{Name: "qp", Usage: "the queue pair of that `NUMBER`"},
			&cli.UintFlag{Name: "set", Usage: "the counter set of that `ID`"},
		},
		Action: inv.statSet,
	}
}

func (inv *invocation) statSet(c *cli.Context) error {
	by, errAuto := autoBy(c.String("auto"))
	qp, set, err := qpAndSet(c)
	switch {
	case errAuto != nil || err != nil:
		return cmp.Or(errAuto, err)
	case countSet(c, "optional", "auto", "qp") != 1:
		return usagef("stat set takes one of --optional, --auto and --qp")
	case c.IsSet("set") && !c.IsSet("qp"):
		return usagef("--set goes with --qp")
	}
	return inv.changeStats(c, func(ctx context.Context, r *counters.Reader, d rdma.Device, port uint32) error {
		switch {
		case c.IsSet("optional"):
			return r.SetOptional(ctx, d, port, listOf(c.String("optional")))
		case c.IsSet("auto"):
			return r.SetAuto(ctx, d, port, by)
		}
		_, err := r.Bind(ctx, d, port, qp.Or(0), set)
		return err
	})
}

func statUnsetCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "unset", Usage: "switch optional counters off, and take counters from queue pairs",
		ArgsUsage:   argsPort,
		Description: "A queue pair is taken off the set that --set names.\n" + statChangeNeeds,
		UsageText: "ibctl stat unset mlx5_0/1 --all-optional\tcount nothing optional\n" +
			"ibctl stat unset mlx5_0/1 --all-auto\tno counter sets for new queue pairs\n" +
			"ibctl stat unset mlx5_0/1 --qp 178 --set 4\tone queue pair less in a set",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all-optional", Usage: "switch all optional counters off"},
			&cli.BoolFlag{Name: "all-auto", Usage: "give no counters to new queue pairs"},
			&cli.UintFlag{Name: "qp", Usage: "the queue pair of that `NUMBER`"},
			&cli.UintFlag{Name: "set", Usage: "the counter set of that `ID`"},
		},
		Action: inv.statUnset,
	}
}

func (inv *invocation) statUnset(c *cli.Context) error {
	qp, set, err := qpAndSet(c)
	switch {
	case err != nil:
		return err
	case countSet(c, "all-optional", "all-auto", "qp") != 1:
		return usagef("stat unset takes one of --all-optional, --all-auto and --qp")
	case c.IsSet("qp") != c.IsSet("set"):
		return usagef("--qp and --set go together: stat qp lists the sets")
	}
	return inv.changeStats(c, func(ctx context.Context, r *counters.Reader, d rdma.Device, port uint32) error {
		switch {
		case c.Bool("all-optional"):
			return r.SetOptional(ctx, d, port, nil)
		case c.Bool("all-auto"):
			return r.SetAuto(ctx, d, port, nil)
		}
		return r.Unbind(ctx, d, port, qp.Or(0), set.Or(0))
	})
}

// changeStats changes the one port that the argument names, and shows how it
// counts now.
func (inv *invocation) changeStats(c *cli.Context, change func(context.Context, *counters.Reader, rdma.Device, uint32) error) error {
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	if c.NArg() != 1 {
		return usagef("%s takes one port, and %s", c.Command.HelpName, gotArguments(c.NArg()))
	}
	found, _, err := askCounters(inv, c, c.Args().Slice(), "change counters",
		func(ctx context.Context, r *counters.Reader, t target, _ *cmAnswer[counters.Mode]) error {
			ports := portNumbers(t)
			if len(ports) != 1 {
				return usagef("%s has %d ports: name one, as in %s/1", t.name(), len(ports), t.device.Name)
			}
			if err := change(ctx, r, t.device, ports[0]); err != nil {
				return fmt.Errorf("%s/%d: %w", t.device.Name, ports[0], err)
			}
			return nil
		})
	if err == nil && len(found.problems) > 0 {
		err = found.problems
	}
	if err != nil {
		return err
	}
	return inv.statMode(c, c.Args().Slice())
}

// autoBy reads the value of --auto.
func autoBy(text string) ([]string, error) {
	words := listOf(text)
	for _, w := range words {
		if !slices.Contains(autoWords(), w) {
			return nil, &usageError{problem: "--auto " + text + ": queue pairs can share type, pid or both", candidates: []string{"type", "pid", "type,pid"}}
		}
	}
	return words, nil
}

func autoWords() []string { return []string{"type", "pid"} }

// listOf takes a list with commas apart.
func listOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// countSet counts which of the flags are given.
func countSet(c *cli.Context, names ...string) (n int) {
	for _, name := range names {
		if c.IsSet(name) {
			n++
		}
	}
	return n
}

// uint32Flag returns the value of a flag, if it is given.
func uint32Flag(c *cli.Context, name string) (rdma.Opt[uint32], error) {
	v := c.Uint(name)
	switch {
	case !c.IsSet(name):
		return rdma.Opt[uint32]{}, nil
	case v > math.MaxUint32:
		return rdma.Opt[uint32]{}, usagef("--%s %d: numbers have 32 bits", name, v)
	}
	return rdma.Known(uint32(v)), nil
}

// qpAndSet returns the values of --qp and --set.
func qpAndSet(c *cli.Context) (qp, set rdma.Opt[uint32], err error) {
	qp, errQP := uint32Flag(c, "qp")
	set, errSet := uint32Flag(c, "set")
	return qp, set, cmp.Or(errQP, errSet)
}
