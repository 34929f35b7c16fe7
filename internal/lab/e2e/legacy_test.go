package e2e

import (
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// TestRDMAJSON: -o rdma-json is what rdma -j prints, to the last character that is
// not white space.
func TestRDMAJSON(t *testing.T) {
	oneNamespace(t)
	rpingServer(t, hostB, "7174")
	startProgram(t, "rping", "-c", "-I", hostA, "-a", hostB, "-p", "7174")
	waitFor(t, "rping to connect", func() bool {
		return len(ibctlItems(t, "", "cm", "list", "--state", "connect")) == 2
	})
	for _, tt := range []struct{ rdma, ibctl string }{
		{"dev show", "dev list"},
		{"dev show rxea", "dev show rxea"},
		{"resource show cm_id", "cm list"},
	} {
		theirs := compact(run(t, lab.NewRDMA(t), append([]string{"-j"}, strings.Fields(tt.rdma)...)...))
		ours := compact(run(t, "ibctl", append(strings.Fields(tt.ibctl), "-o", "rdma-json")...))
		if ours != theirs {
			t.Errorf("ibctl %s -o rdma-json\n%s\nrdma -j %s\n%s", tt.ibctl, ours, tt.rdma, theirs)
		}
	}
}

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
