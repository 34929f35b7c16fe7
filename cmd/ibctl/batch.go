package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

const argsFile = "FILE"

func batchCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "batch", Category: categoryTool, Usage: "run the commands in a file, one a line, in one process",
		ArgsUsage: argsFile,
		Description: `FILE is - for standard input. A line is a command without the word ibctl, in words as
a shell takes them: quotes, backslashes, # for comments. Options given to batch are
those of every line that has none of its own. Clients are started once.`,
		UsageText: "ibctl batch check.txt	the output of all, one after the other\n" +
			"ibctl batch -o json -\tan object for each line of standard input\n" +
			"ibctl batch --dry-run setup.txt\twhat is wrong with the lines, without running any",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "go on after a line that fails"},
			&cli.BoolFlag{Name: "dry-run", Usage: "check all lines, and run none"},
		},
		Action: inv.batch,
	}
}

// batchError ends a batch whose lines have said themselves what went wrong.
type batchError struct{ code int }

// Error implements error.
func (e batchError) Error() string { return fmt.Sprintf("a line ended with exit code %d", e.code) }

func (inv *invocation) batch(c *cli.Context) error {
	switch {
	case c.NArg() != 1:
		return usagef("batch takes one file, or - for standard input, and %s", gotArguments(c.NArg()))
	case inv.format == output.YAML:
		return usagef("batch prints an object a line: use -o json")
	}
	in, err := inv.openBatch(c.Args().First())
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	b := &batchLines{
		inv: inv, ctx: ctx, file: c.Args().First(), defaults: inv.batchDefaults(),
		force: c.Bool("force"), dryRun: c.Bool("dry-run"), pool: newSessionPool(inv),
	}
	defer b.pool.close()
	collectSeldom()
	return b.run(newBatchReader(in))
}

func (inv *invocation) openBatch(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(inv.stdin), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("%s: no such file", name)
	}
	return f, err
}

// batchDefaults are the options that every line begins with.
func (inv *invocation) batchDefaults() (words []string) {
	format := string(inv.format)
	if inv.format == output.JSONL {
		format = string(output.JSON)
	}
	if inv.template != nil {
		format = inv.template.String()
	}
	words = []string{"--output=" + format}
	for name, value := range map[string]string{"root": inv.root, "socket": inv.socket} {
		if value != "" {
			words = append(words, "--"+name+"="+value)
		}
	}
	for name, on := range map[string]bool{"no-headers": inv.noHeaders, "verbose": inv.verbose} {
		if on {
			words = append(words, "--"+name)
		}
	}
	return words
}

// batchLines runs the lines of a batch, one after the other.
type batchLines struct {
	inv      *invocation // of the batch itself
	ctx      context.Context
	file     string
	defaults []string
	force    bool
	dryRun   bool
	pool     *sessionPool
	flags    flagTable
	first    int // the exit code of the first line that failed
}

func (b *batchLines) run(in *batchReader) error {
	for {
		l, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return b.verdict()
		case err != nil:
			return fmt.Errorf("read %s: %w", b.file, err)
		}
		if err := b.line(l); err != nil {
			return err
		}
		if i, ok := errors.AsType[interruption](context.Cause(b.ctx)); ok {
			return i
		}
		if b.first != exitDone && !b.force && !b.dryRun {
			return b.verdict()
		}
	}
}

func (b *batchLines) verdict() error {
	if b.first == exitDone {
		return nil
	}
	return batchError{b.first}
}

// line runs one line. An error means that nobody takes the output.
func (b *batchLines) line(l batchLine) error {
	inv := &invocation{
		stdin: strings.NewReader(""), stdout: b.inv.stdout, stderr: b.inv.stderr, format: b.inv.format,
		lines: b, pool: b.pool, where: fmt.Sprintf("%s:%d", b.file, l.number),
	}
	var code int
	var err error
	if b.inv.format.Structured() {
		code, err = b.asObject(inv, l)
	} else {
		code, err = b.asText(inv, l)
	}
	if code != exitDone && b.first == exitDone {
		b.first = code
	}
	if code != exitDone {
		b.pool.hangUp(inv.socket) // ibctl serve may have ended: the next line asks again
	}
	return err
}

func (b *batchLines) asText(inv *invocation, l batchLine) (code int, _ error) {
	err := b.dispatchLine(inv, l)
	if nobodyReads(err) {
		return exitClosedPipe, err
	}
	return inv.finish(err), nil
}

func (b *batchLines) dispatchLine(inv *invocation, l batchLine) error {
	if l.err != nil {
		return &usageError{problem: l.err.Error()}
	}
	return inv.dispatch(slices.Concat([]string{"ibctl"}, b.defaults, l.words))
}

// commands returns the command tree for a line, and all flags. The whole tree costs
// more than running a short line: it is made for the first one, and where a line
// does not name its noun in full, or asks about all of them.
func (inv *invocation) commands(words []string) (*cli.App, flagTable) {
	b := inv.lines
	if b != nil && b.flags != nil {
		if n, ok := nounOf(b.flags, words); ok {
			return appOf(inv, []noun{n}), b.flags
		}
	}
	app := newApp(inv)
	known := knownFlags(app)
	if b != nil {
		b.flags = known
	}
	return app, known
}

// nounOf finds the noun that is the first argument of a line, in full.
func nounOf(known flagTable, words []string) (noun, bool) {
	read := lex(known, words)
	first := slices.IndexFunc(read.tokens, func(t token) bool { return t.flag == "" })
	if first < 0 || read.err != nil {
		return noun{}, false
	}
	all := nouns()
	i := slices.IndexFunc(all, func(n noun) bool { return n.name == read.tokens[first].value })
	if i < 0 || all[i].name == "help" {
		return noun{}, false
	}
	return all[i], true
}

// dispatch runs a line that was understood.
func (b *batchLines) dispatch(app *cli.App, l line) error {
	if noun := l.path[0]; noun == "batch" || noun == "serve" {
		return usagef("%s cannot be a line of a batch", noun)
	}
	if b.dryRun {
		disarm(app.Commands)
	}
	return app.RunContext(b.ctx, l.canonical())
}

// disarm leaves of commands their flags.
func disarm(commands []*cli.Command) {
	for _, c := range commands {
		if c.Action != nil {
			c.Action = func(*cli.Context) error { return nil }
		}
		disarm(c.Subcommands)
	}
}
