package e2e

import (
	"strings"
	"testing"
)

// compact leaves out white space, as programs do.
func compact(text string) string {
	return strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(text)
}

// TestIBDev2Netdev: the ports that rdma says have a netdev, and whether it is up.
func TestIBDev2Netdev(t *testing.T) {
	cliTopology().Up(t)
	have := map[string]bool{}
	for line := range strings.Lines(run(t, "ibctl", "dev", "list", "-o", "ibdev2netdev")) {
		have[strings.TrimSpace(line)] = true
	}
	for device, l := range rdmaLinks(t, "") {
		state := map[bool]string{true: "Up", false: "Down"}[l.State == "ACTIVE"]
		line := device + " port 1 ==> " + l.Netdev + " (" + state + ")"
		if l.Netdev != "" && !have[line] {
			t.Errorf("no line %q in %v", line, have)
		}
		if l.Netdev != "" {
			delete(have, line)
		}
	}
	if len(have) > 0 {
		t.Errorf("lines too many: %v", have)
	}
}
