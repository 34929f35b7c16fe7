package main

import (
	"fmt"
	"io"
	"os"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/roce"
)

// builtins lists the clients that are part of this binary, in the order in
// which they are added to devices.
func builtins() []string { return []string{roce.Name, cm.Name} }

// serveBuiltin is main in a plugin process: it serves the client until ibctl,
// which started it, is done.
func serveBuiltin(name string, stderr io.Writer) int {
	// The process was started through /proc/self/exe, and would be called "exe".
	_ = os.WriteFile("/proc/self/comm", []byte("ibctl-"+name), 0)
	switch name {
	case roce.Name:
		plugin.Serve(roce.New())
		return exitDone
	case cm.Name:
		plugin.Serve(cm.New())
		return exitDone
	}
	fmt.Fprintf(stderr, "ibctl: no built-in client %q\n", name)
	return exitUsage
}
