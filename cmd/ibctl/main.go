// Command ibctl shows and manages the RDMA devices of a Linux host.
//
// One file holds one noun; exit.go is the only place that knows exit codes, and
// main the only one that exits. A command line passes through line.go, which
// accepts flags anywhere and abbreviated nouns and verbs, before urfave/cli sees
// it in its full form.
//
// The same binary serves the built-in clients: ibctl starts itself again as a
// plugin process, see builtin.go; and what only the kernel can end runs in a
// process of its own, see internal/takedown.
package main

import (
	"io"
	"os"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/takedown"
)

func main() {
	if name, ok := plugin.ServeName(os.Args); ok {
		os.Exit(serveBuiltin(name, os.Stderr))
	}
	if takedown.IsChild(os.Args) {
		os.Exit(takedown.ServeChild(os.Args))
	}
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run is the program: args are those of the process, its own name first. It
// returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	inv := &invocation{stdin: stdin, stdout: stdout, stderr: stderr, format: defaultFormat, alone: true}
	defer inv.closeDaemon()
	defer inv.dropHeadStart()
	return inv.finish(inv.dispatch(args))
}
