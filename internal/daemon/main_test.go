package daemon

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/plugins/roce"
)

// TestMain lets the test binary be the plugin process, as ibctl is its own.
func TestMain(m *testing.M) {
	if name, serving := plugin.ServeName(os.Args); serving {
		serve(name)
		return
	}
	goleak.VerifyTestMain(m)
}

func serve(name string) {
	switch name {
	case "roce":
		plugin.Serve(roce.New())
	case "picky":
		plugin.Serve(picky{})
	case "stubborn":
		plugin.Serve(stubborn{})
	case "gated":
		plugin.Serve(&gated{})
	case "chatty":
		plugin.Serve(&chatty{})
	case "broken":
		fmt.Fprintln(os.Stderr, "broken: no such luck")
		os.Exit(3)
	}
}
