package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

const defaultFormat = output.Table

// invocation is one run of the program: its streams and its global options.
type invocation struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	format    output.Format
	template  *output.Template // of a format that has one
	noHeaders bool
	verbose   bool
	root      string
	socket    string // of ibctl serve; empty for the usual one, or noSocket
	timeout   time.Duration

	// lines is there while the invocation is a line of a batch, and where says
	// which.
	lines *batchLines
	where string
	// pool keeps clients for those who ask more than once.
	pool *sessionPool

	// alone tells that no other invocation shares this process, early what has a
	// head start.
	alone bool
	early *ownSession

	// asked tells whether ibctl serve has been looked for, daemon what was found or
	// without why nothing was, and notes what is to be said of it.
	asked   bool
	daemon  *daemonConn
	without error
	notes   []rdma.Warning
}

// dispatch finds the verb and runs it.
func (inv *invocation) dispatch(args []string) error {
	if len(args) > 1 && args[1] == completeVerb {
		return inv.complete(args[2:])
	}
	if len(args) == 2 && args[1] == portsVerb {
		return inv.tellPorts()
	}
	words := args[min(1, len(args)):]
	app, known := inv.commands(words)
	l, err := parseWith(app, known, words)
	inv.format = l.format() // an error is shown in the format that was asked for
	if errors.Is(err, errNoCommand) && !inv.format.Structured() {
		io.WriteString(inv.stderr, helpAll(app)+"\n") //nolint:errcheck // the error follows
	}
	if err != nil {
		return err
	}
	if l.help {
		return inv.help(app, l.path)
	}
	if err := l.checkFormat(); err != nil {
		return err
	}
	if inv.lines != nil {
		return inv.lines.dispatch(app, l)
	}
	return app.RunContext(context.Background(), l.canonical())
}

// setOptions takes over the global options; it runs before every verb.
func (inv *invocation) setOptions(c *cli.Context) (err error) {
	inv.noHeaders, inv.verbose = c.Bool("no-headers"), c.Bool("verbose")
	inv.root, inv.socket, inv.timeout = c.String("root"), c.String("socket"), c.Duration("timeout")
	if inv.format, inv.template, err = output.ParseFormat(c.String("output")); err != nil {
		inv.format = defaultFormat
		return &usageError{problem: err.Error()}
	}
	if c.Bool("json") {
		inv.format = output.JSON
	}
	if inv.timeout < 0 {
		return usagef("--timeout %v: a time limit is not negative", inv.timeout)
	}
	if inv.root == "" && c.IsSet("root") {
		return usagef(`--root "": no directory; without --root it is this host`)
	}
	return inv.checkRoot()
}

// checkRoot tells a mistyped --root from a tree without devices.
func (inv *invocation) checkRoot() error {
	if inv.root == "" {
		return nil
	}
	info, err := os.Stat(inv.root)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return usagef("--root %s: no such directory", inv.root)
	case err != nil:
		return fmt.Errorf("--root: %w", err)
	case !info.IsDir():
		return usagef("--root %s: not a directory", inv.root)
	}
	return nil
}

// limit returns ctx with the deadline of --timeout, if there is one.
func (inv *invocation) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if inv.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, inv.timeout)
}

// printer writes results the way the options ask for.
func (inv *invocation) printer() output.Printer {
	return output.Printer{Out: inv.stdout, Err: inv.stderr, Format: inv.format, Template: inv.template, NoHeaders: inv.noHeaders, Where: inv.where}
}

// hint says something helpful to a person, and to nobody else: where the output
// is a terminal, or with -v.
func (inv *invocation) hint(text string) {
	if inv.verbose || isTerminal(inv.stderr) {
		inv.printer().Note(text)
	}
}

// isTerminal tells whether w is a character device other than /dev/null, which
// is close enough for deciding on a hint.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && nullErr == nil && info.Mode()&os.ModeCharDevice != 0 && !os.SameFile(info, null)
}
