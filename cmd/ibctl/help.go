package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

func helpCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "help", Category: categoryTool, Usage: "explain a command",
		ArgsUsage: argsCommand,
		Action: func(c *cli.Context) error {
			l, err := parseLine(c.App, append(c.Args().Slice(), "--help"))
			if err != nil {
				return err
			}
			return inv.help(c.App, l.path)
		},
	}
}

// help explains the command at path; without one, all of them.
func (inv *invocation) help(app *cli.App, path []string) error {
	if len(path) == 0 {
		return inv.print(helpAll(app))
	}
	return inv.print(helpOn(app, path))
}

// print writes text that is not a result.
func (inv *invocation) print(text string) error {
	if _, err := io.WriteString(inv.stdout, text); err != nil {
		return &output.WriteError{Err: err}
	}
	return nil
}

func helpAll(app *cli.App) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "ibctl: %s\n\nUsage: ibctl [OPTION…] COMMAND [VERB] [ARGUMENT…]\n", app.Usage)
	for _, category := range []string{categoryShow, categoryTool} {
		section(b, category, commandRows(app.Commands, category))
	}
	section(b, "Options, accepted anywhere on the line", flagRows(app.Flags))
	section(b, "Examples", []row{
		{"ibctl dev", "all devices and their ports"},
		{"ibctl gid show mlx5_0/1 --type v2", "the RoCE v2 GIDs of one port"},
		{"ibctl dev show 0000:3b:00.0 -j", "the device of a PCI function, as JSON"},
	})
	b.WriteString("\nCommands and verbs may be shortened: ibctl d l. Scripts should spell them out.\n" +
		"ibctl help COMMAND explains one of them; the manual is ibctl(8).\n")
	return b.String()
}

func helpOn(app *cli.App, path []string) string {
	b := new(strings.Builder)
	c := find(app.Commands, path)
	name := "ibctl " + strings.Join(path, " ")
	fmt.Fprintf(b, "%s: %s\n\n", name, c.Usage)
	if len(c.Subcommands) == 0 {
		usageLine(b, name, c)
	}
	for _, verb := range c.Subcommands {
		usageLine(b, name+" "+verb.Name, verb)
	}
	if len(c.Subcommands) > 0 {
		section(b, "Verbs", commandRows(c.Subcommands, ""))
		fmt.Fprintf(b, "\n%s alone means %s %s.\n", name, name, c.Subcommands[0].Name)
	}
	if c.Description != "" {
		fmt.Fprintf(b, "\n%s\n", c.Description)
	}
	section(b, "Flags", flagRows(c.Flags))
	section(b, "Examples", exampleRows(c.UsageText))
	if forms := legacyForms[strings.Join(path, " ")]; len(forms) > 0 {
		fmt.Fprintf(b, "\nForms of older tools: -o %s.\n", strings.ReplaceAll(formList(forms), ",", ", -o "))
	}
	fmt.Fprintf(b, "\nibctl help lists the options that every command has; the manual is %s.\n", manual(path[0]))
	return b.String()
}

func usageLine(b *strings.Builder, name string, c *cli.Command) {
	line := "Usage: " + name
	if len(c.Flags) > 0 {
		line += " [FLAG…]"
	}
	if c.ArgsUsage != "" {
		line += " " + c.ArgsUsage
	}
	b.WriteString(line + "\n")
}

// manual names the page that describes a noun.
func manual(noun string) string {
	switch noun {
	case "dev", "port", "gid", "cm", "res", "stat", "system", "batch", "wait", "client", "serve", "events", "env":
		return "ibctl-" + noun + "(8)"
	}
	return "ibctl(8)"
}

// row is an entry of a help section: what to type, and what it does.
type row struct{ left, right string }

func section(b *strings.Builder, title string, rows []row) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "  %s\t%s\n", r.left, r.right)
	}
	w.Flush() //nolint:errcheck // a Builder takes everything
}

// exampleRows takes a command's examples apart: a line each, with a tab before
// the explanation.
func exampleRows(lines string) []row {
	var rows []row
	for line := range strings.Lines(lines) {
		command, explanation, _ := strings.Cut(strings.TrimSpace(line), "\t")
		rows = append(rows, row{command, explanation})
	}
	return rows
}

// commandRows lists the commands of one category.
func commandRows(commands []*cli.Command, category string) []row {
	var rows []row
	for _, c := range commands {
		if c.Category == category {
			rows = append(rows, row{strings.Join(c.Names(), ", "), c.Usage})
		}
	}
	return rows
}

func flagRows(flags []cli.Flag) []row {
	var rows []row
	for _, f := range flags {
		placeholder, usage := unquote(f)
		left := spelling(f)
		if placeholder != "" {
			left += " " + placeholder
		}
		rows = append(rows, row{left, usage})
	}
	return rows
}

// spelling shows how a flag is written: "-o, --output".
func spelling(f cli.Flag) string {
	var short, long string
	for _, name := range f.Names() {
		if len(name) == 1 {
			short = "-" + name + ", "
		} else {
			long = "--" + name
		}
	}
	return short + long
}

// unquote takes the word for a flag's value out of its usage text, where it
// stands between backquotes.
func unquote(f cli.Flag) (placeholder, usage string) {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "", ""
	}
	before, rest, found := strings.Cut(doc.GetUsage(), "`")
	if !found {
		return "", before
	}
	placeholder, after, _ := strings.Cut(rest, "`")
	return placeholder, before + placeholder + after
}
