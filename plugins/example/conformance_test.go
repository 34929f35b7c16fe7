package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ibctl/ibctl/plugins/plugintest"
)

// TestConformance holds the plugin against the contract, as an executable of its
// own. Its devices do not exist; it watches them all the same.
func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ibctl-plugin-example")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	plugintest.Run(t, plugintest.Plugin{
		Name:   "example",
		Path:   path,
		Config: []byte(`{"interval": "1ms"}`),
	})
}
