package plugintest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ibctl/ibctl/core/plugin"
)

// TestMain lets the test binary be the plugins that the kit is tried on, and a
// process that one of them starts.
func TestMain(m *testing.M) {
	if name, ok := plugin.ServeName(os.Args); ok {
		serveTestPlugin(name)
		return
	}
	if mode := os.Getenv(envWatchdog); mode != "" {
		beWatchdog(mode)
		return
	}
	goleak.VerifyTestMain(m)
}

func serveTestPlugin(name string) {
	main, ok := testMains[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such test plugin:", name)
		os.Exit(1)
	}
	main()
}
