package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// Categories of nouns, as help shows them.
const (
	categoryShow = "What there is"
	categoryTool = "The tool itself"
)

// nouns are the commands, in the order of help. The first verb of a noun is the one
// that runs where no verb is given.
func nouns() []noun {
	return []noun{
		{"dev", devCommand}, {"port", portCommand}, {"gid", gidCommand}, {"cm", cmCommand}, {"res", resCommand}, {"env", envCommand},
		{"stat", statCommand}, {"system", systemCommand}, {"client", clientCommand}, {"events", eventsCommand},
		{"serve", serveCommand}, {"batch", batchCommand}, {"wait", waitCommand}, {"completion", completionCommand},
		{"help", helpCommand}, {"schema", schemaCommand}, {"version", versionCommand},
	}
}

// noun makes the command of its name.
type noun struct {
	name string
	make func(*invocation) *cli.Command
}

// newApp returns the command tree, bound to inv.
func newApp(inv *invocation) *cli.App { return appOf(inv, nouns()) }

// appOf is newApp with some of the nouns.
func appOf(inv *invocation, nouns []noun) *cli.App {
	app := &cli.App{
		Name:           "ibctl",
		Usage:          "see and manage the RDMA devices of this host",
		Flags:          globalFlags(),
		Before:         inv.setOptions,
		OnUsageError:   onUsageError,
		ExitErrHandler: func(*cli.Context, error) {}, // main exits, and nobody else
		HideHelp:       true,
		HideVersion:    true,
		Compiled:       time.Unix(0, 0), // or the library looks at the program's file to find out
		Writer:         inv.stdout,
		ErrWriter:      inv.stderr,
	}
	for _, n := range nouns {
		app.Commands = append(app.Commands, n.make(inv))
	}
	nameOnce(app.Flags)
	for _, noun := range app.Commands {
		prepare(noun)
	}
	return app
}

// prepare switches off what the library would do by itself.
func prepare(c *cli.Command) {
	c.HideHelp, c.OnUsageError = true, onUsageError
	nameOnce(c.Flags)
	for _, sub := range c.Subcommands {
		prepare(sub)
	}
}

// namedFlag is a flag that knows its names. The library works them out by a regular
// expression whenever it looks for a flag, which was most of its own work for a
// line of a batch.
type namedFlag struct {
	cli.DocGenerationFlag
	names []string
}

// Names implements [cli.Flag].
func (f namedFlag) Names() []string { return f.names }

func nameOnce(flags []cli.Flag) {
	for i, f := range flags {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			flags[i] = namedFlag{d, f.Names()}
		}
	}
}

// onUsageError spells a flag as ibctl's pages do, and not as package flag does.
func onUsageError(_ *cli.Context, err error, _ bool) error {
	return &usageError{problem: strings.Replace(err.Error(), " for flag -", " for --", 1)}
}

// globalFlags are accepted anywhere on the line. The word between backquotes
// stands for the value; completion goes by it.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: string(defaultFormat), Usage: "print as `FORMAT`: table, wide, json, jsonl, yaml, name, jsonpath=…, custom-columns=…"},
		&cli.BoolFlag{Name: "json", Aliases: []string{"j"}, Usage: "the same as -o json"},
		&cli.BoolFlag{Name: "no-headers", Usage: "print tables without their first line"},
		&cli.StringFlag{Name: "root", Usage: "read the captured sysfs tree in `DIR` instead of this host"},
		&cli.StringFlag{Name: "socket", Usage: "ask the ibctl serve that listens at `PATH`; none asks nobody, and does it all here"},
		&cli.DurationFlag{Name: "timeout", Usage: "give up after `DURATION`, such as 500ms or 10s"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more on standard error"},
		&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "explain the command instead of running it"},
	}
}
