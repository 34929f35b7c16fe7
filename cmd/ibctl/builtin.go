package main

import (
	"fmt"
	"io"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/plugins/roce"
)

// builtins lists the clients that are part of this binary, in the order in
// which they are added to devices.
func builtins() []string { return []string{roce.Name} }

// serveBuiltin is main in a plugin process: it serves the client until ibctl,
// which started it, is done.
func serveBuiltin(name string, stderr io.Writer) int {
	switch name {
	case roce.Name:
		plugin.Serve(roce.New())
		return exitDone
	}
	fmt.Fprintf(stderr, "ibctl: no built-in client %q\n", name)
	return exitUsage
}
