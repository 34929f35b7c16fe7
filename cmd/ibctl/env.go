package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/libenv/source"
	"github.com/ibctl/ibctl/internal/output"
)

func envCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "env", Category: categoryShow, Usage: "what NCCL_ and UCX_ variables do on this host",
		Subcommands: []*cli.Command{{
			Name: "explain", Usage: "what each variable selects, and what is wrong with it",
			Description: `Reads the variables of the environment, or of a process, and NCCL's files, and does
with the HCAs and GIDs of this host, as the process's network namespace shows them, what
NCCL and UCX do.`,
			UsageText: "ibctl env explain\twhat is set here\n" +
				"ibctl env explain --pid 4711\twhat a process was started with\n" +
				"NCCL_IB_HCA=mlx5_1 ibctl env explain -j\tas JSON",
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "pid", Usage: "the variables that the process `PID` was started with"},
			},
			Action: inv.envExplain,
		}},
	}
}

func (inv *invocation) envExplain(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	vars, warnings, err := variables(c)
	if err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	seen, err := inv.portsSeen(ctx, c)
	if err != nil {
		return orInterruption(ctx, err)
	}
	items := libenv.Explain(vars, seen.Ports)
	for i := range items {
		items[i].Netns = seen.netns
	}
	if len(items) == 0 {
		inv.hint("there are no NCCL_ or UCX_ variables")
	}
	return output.Print(inv.printer(), output.Result[libenv.Explanation]{
		Kind: "EnvExplanation", Items: items, Warnings: append(warnings, seen.warnings...),
		Body: output.Records(explanationRecords(items)),
		Name: func(e libenv.Explanation) string { return e.Variable },
	})
}

func variables(c *cli.Context) ([]libenv.Variable, []rdma.Warning, error) {
	if !c.IsSet("pid") {
		vars, warnings := source.Own()
		return vars, warnings, nil
	}
	if c.Int("pid") <= 0 {
		return nil, nil, usagef("--pid %d: not a process", c.Int("pid"))
	}
	return source.Of("/proc", c.Int("pid"))
}

func explanationRecords(items []libenv.Explanation) []output.Record {
	var records []output.Record
	for _, e := range items {
		title := e.Variable + "=" + e.Value
		if e.Source == libenv.NotSet {
			title = e.Variable + " (" + e.Source + ")"
		}
		r := output.Record{Title: title, Fields: []output.Field{
			{Label: "from", Value: fileOf(e)}, {Label: "seen in", Value: e.Netns}, {Label: "means", Value: e.Meaning}}}
		for _, s := range e.Selects {
			r.Fields = append(r.Fields, output.Field{Label: "selects", Value: s})
		}
		for _, f := range e.Findings {
			r.Fields = append(r.Fields, output.Field{Label: string(f.Severity), Value: findingText(f)})
		}
		records = append(records, r)
	}
	return records
}

// fileOf is the file that sets the variable, if one does.
func fileOf(e libenv.Explanation) string {
	if e.Source == libenv.Environment || e.Source == libenv.NotSet {
		return ""
	}
	return e.Source
}

func findingText(f libenv.Finding) string {
	if f.Remedy == "" {
		return f.Text
	}
	return fmt.Sprintf("%s; better: %s", f.Text, f.Remedy)
}
