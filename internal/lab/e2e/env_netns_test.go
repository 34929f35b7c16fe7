package e2e

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
)

// nobody is a user without rights.
var nobody = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

// trainer starts a process in namespace blue whose variables name all soft HCAs, and returns its pid.
func trainer(t *testing.T, before ...string) int {
	t.Helper()
	line := append(before, "env", "NCCL_IB_HCA=rxe", "NCCL_IB_GID_INDEX=1", "sh", "-c", "echo; exec sleep 1000")
	b := startProgram(t, "ip", append([]string{"netns", "exec", "blue"}, line...)...)
	waitFor(t, "a process in blue", func() bool { return len(b.lines) > 0 })
	return b.cmd.Process.Pid
}

// envOf is what ibctl says of the process.
type envOf struct {
	selects  map[string][]string // by variable
	netns    string
	warnings string
}

func explainEnv(t *testing.T, cmd *exec.Cmd) (out envOf) {
	t.Helper()
	r := runCLI(t, cmd)
	var doc struct {
		Items []struct {
			Variable, Netns string
			Selects         []string
		}
		Warnings json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || r.code != 0 {
		t.Fatalf("%s: exit code %d, %v\n%s%s", cmd, r.code, err, r.stdout, r.stderr)
	}
	out.selects, out.warnings = map[string][]string{}, string(doc.Warnings)
	for _, e := range doc.Items {
		out.selects[e.Variable], out.netns = e.Selects, e.Netns
	}
	return out
}

// TestEnvExplainOfAProcess: a process in another network namespace finds what is to be found there. In the exclusive mode that is not what
// ibctl finds where it runs.
func TestEnvExplainOfAProcess(t *testing.T) {
	onOneKernel(t)
	for _, exclusive := range []bool{false, true} {
		name := map[bool]string{false: "shared", true: "exclusive"}[exclusive]
		t.Run(name, func(t *testing.T) {
			tp := lab.Topology{
				Exclusive:  exclusive,
				Namespaces: []string{"blue"},
				Links: []lab.Link{
					{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}},
					{Name: "eth1", Kind: lab.Dummy{}, Addrs: []string{"198.51.100.1/24"}},
				},
				HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}},
			}
			there := []string{"rxe0:1", "rxe1:1"}
			if series, _ := lab.Inside(); exclusive {
				there = []string{}
				if series == depot.Linux7 { // before, rxe can't change its namespace
					tp.HCAs[1].Netns = "blue"
					there = []string{"rxe1:1"}
				}
			}
			tp.Up(t)
			pid := trainer(t)
			netns := strings.TrimSpace(run(t, "readlink", "/proc/"+strconv.Itoa(pid)+"/ns/net"))
			seen := explainEnv(t, exec.Command("ibctl", "env", "explain", "--pid", strconv.Itoa(pid), "-o", "json"))
			if got := seen.selects["NCCL_IB_HCA"]; !slices.Equal(got, there) || seen.netns != netns {
				t.Errorf("in %s it selects %q; want %q in %s", seen.netns, got, there, netns)
			}
			if got := seen.selects["NCCL_IB_GID_INDEX"]; len(got) != len(there) {
				t.Errorf("GIDs %q", got)
			}
			if seen.warnings != "[]" && len(there) > 0 {
				t.Errorf("warnings %s", seen.warnings)
			}
			if !exclusive {
				unprivilegedEnv(t)
				return
			}
			text := ibctl(t, "", "env", "explain", "--pid", strconv.Itoa(pid))
			if !strings.Contains(text.stdout, "seen in  "+netns) {
				t.Errorf("it does not say from where it is seen:\n%s%s", text.stdout, text.stderr)
			}
		})
	}
}

// unprivilegedEnv: who may not go where a process is says so, and tells what is seen from here.
func unprivilegedEnv(t *testing.T) {
	t.Helper()
	pid := trainer(t, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
	cmd := exec.Command("ibctl", "env", "explain", "--pid", strconv.Itoa(pid), "-o", "json")
	cmd.SysProcAttr = nobody
	seen := explainEnv(t, cmd)
	if seen.netns != "" || !strings.Contains(seen.warnings, "enter the network namespace") || !slices.Contains(seen.selects["NCCL_IB_HCA"], "rxe0:1") {
		t.Errorf("as nobody: %+v", seen)
	}
}
