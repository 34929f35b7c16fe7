package e2e

import (
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// oneNetdev is a topology for devices that come and go.
func oneNetdev(t *testing.T) {
	t.Helper()
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}}}.Up(t)
}

// awaitName runs ibctl wait while something happens, and returns what it prints.
func awaitName(t *testing.T, arg, condition string, happens ...string) string {
	t.Helper()
	waiting := startProgram(t, "ibctl", "wait", arg, "--for", condition, "--timeout", "60s", "-o", "name")
	run(t, happens[0], happens[1:]...)
	<-waiting.done
	if code := waiting.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("ibctl wait %s --for %s: exit code %d: %s", arg, condition, code, <-waiting.lines)
	}
	return <-waiting.lines
}

// TestWait: each condition comes about while it is waited for, and until then the
// time is up with exit code 75.
func TestWait(t *testing.T) {
	oneNetdev(t)
	run(t, "ip", "link", "set", "eth0", "down")
	for _, step := range []struct {
		arg, condition string
		happens        string
		want           string
	}{
		{"hca0", "present", "rdma link add hca0 type rxe netdev eth0", "hca0"},
		{"eth0", "active", "ip link set eth0 up", "hca0/1"},
		{"hca0/1", "gid=10.7.7.7", "ip addr add 10.7.7.7/24 dev eth0", "hca0/1/1"},
		{"hca0", "absent", "rdma link del hca0", "hca0"},
	} {
		r := ibctl(t, "", "wait", step.arg, "--for", step.condition, "--timeout", "10ms")
		if r.code != 75 || r.stdout != "" {
			t.Errorf("%s --for %s, before it is so: exit code %d, %s", step.arg, step.condition, r.code, r.stdout)
		}
		if got := awaitName(t, step.arg, step.condition, strings.Fields(step.happens)...); got != step.want {
			t.Errorf("%s --for %s prints %q, want %q", step.arg, step.condition, got, step.want)
		}
	}
}
