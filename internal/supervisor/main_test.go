package supervisor

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ibctl/ibctl/core/plugin"
)

// TestMain lets the test binary be three things: the tests; a plugin, which the
// supervisor starts from /proc/self/exe as it starts ibctl's own; and a host to be
// killed.
func TestMain(m *testing.M) {
	if name, ok := plugin.ServeName(os.Args); ok {
		serveTestPlugin(name)
		return
	}
	if os.Getenv(envDoomedHost) != "" {
		beDoomedHost()
		return
	}
	goleak.VerifyTestMain(m)
}

// serveTestPlugin is the main of a plugin: see the clients in clients_test.go, and
// those that never get as far as serving.
func serveTestPlugin(name string) {
	if main, ok := crookedMains[name]; ok {
		main()
		return
	}
	if _, ok := rawPlugins[name]; ok {
		rawMain(name)
		return
	}
	client, ok := testClients[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such test plugin:", name)
		os.Exit(1)
	}
	plugin.Serve(client())
}
