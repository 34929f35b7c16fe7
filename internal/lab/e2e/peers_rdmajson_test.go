package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

type rdmaForm struct{ rdma, ibctl string }

// rdmaForms are what rdma -j prints, and what prints the same here. dd stands for
// what rdma wants -dd for.
var rdmaForms = []rdmaForm{
	{"dev show", "dev list"},
	{"dev show rxe3", "dev show rxe3"},
	{"link show", "port list"},
	{"link show rxe3/1", "port show rxe3/1"},
	{"resource show", "res list"},
	{"-dd resource show", "res list --all"},
	{"resource show rxe0", "res list rxe0"},
	{"resource show qp", "res qp"},
	{"-dd resource show qp", "res qp --all"},
	{"resource show qp link rxe0/1", "res qp rxe0/1"},
	{"resource show qp state RTS,RTR", "res qp --state rts,rtr"},
	{"resource show cq", "res cq"},
	{"resource show mr", "res mr"},
	{"resource show pd", "res pd"},
	{"resource show ctx", "res ctx"},
	{"resource show srq", "res srq"},
	{"resource show cm_id", "res cm-id"},
	{"resource show cm_id", "cm list"},
	{"statistic show", "stat show"},
	{"statistic qp show", "stat qp"},
	{"statistic mode", "stat mode"},
}

// compareRDMAJSON: each form is what rdma prints, to the last character that is not
// white space, while nothing moves. In another namespace it is ports that differ.
func compareRDMAJSON(t *testing.T) {
	compareForms(t, "", rdmaForms)
	compareForms(t, "blue", rdmaForms[2:3])
	compareSystem(t)
	compareRegions(t)
}

// compareRegions: rdma 6.15 fails to show the counters of memory regions (EINVAL), of
// which soft RoCE keeps none. The regions themselves are those of its own list.
func compareRegions(t *testing.T) {
	t.Helper()
	var have []object
	decode(t, run(t, "ibctl", "stat", "mr", "--all", "-o", "rdma-json"), &have)
	want := rdmaObjects(t, "", "resource", "show", "mr")
	for _, o := range want {
		maps.DeleteFunc(o, func(key string, _ any) bool { return key != "ifindex" && key != "ifname" && key != "mrn" })
	}
	if !reflect.DeepEqual(have, want) || len(want) == 0 {
		t.Errorf("regions %v, rdma has %v", have, want)
	}
}

// compareForms takes ours from one batch, a line each.
func compareForms(t *testing.T, netns string, forms []rdmaForm) {
	t.Helper()
	var commands strings.Builder
	for _, f := range forms {
		commands.WriteString(f.ibctl + "\n")
	}
	file := filepath.Join(t.TempDir(), "forms.batch")
	if err := os.WriteFile(file, []byte(commands.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := ibctl(t, netns, "batch", "-o", "rdma-json", file)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || r.stderr != "" || len(lines) != len(forms) {
		t.Fatalf("exit code %d, %d lines for %d commands\n%s", r.code, len(lines), len(forms), r.stderr)
	}
	for i, f := range forms {
		if !json.Valid([]byte(lines[i])) {
			t.Errorf("ibctl %s -o rdma-json is no JSON: %s", f.ibctl, lines[i])
		}
		have, want := compact(lines[i]), compact(rdmaText(t, netns, append([]string{"-j"}, strings.Fields(f.rdma)...)...))
		if have != want {
			t.Errorf("ibctl %s -o rdma-json, in %q\n%s\nrdma -j %s\n%s", f.ibctl, netns, have, f.rdma, want)
		}
	}
}

// rdmaText is what the newest rdma prints, seen from a network namespace.
func rdmaText(t *testing.T, netns string, args ...string) string {
	t.Helper()
	if netns == "" {
		return run(t, lab.NewRDMA(t), args...)
	}
	return run(t, "ip", append([]string{"netns", "exec", netns, lab.NewRDMA(t)}, args...)...)
}

// compareSystem: rdma -j system is text; the members here are its words, but for
// what the kernel does not know and rdma takes to be off.
func compareSystem(t *testing.T) {
	t.Helper()
	var states []object
	decode(t, run(t, "ibctl", "system", "show", "-o", "rdma-json"), &states)
	if len(states) != 1 {
		t.Fatal(states)
	}
	words := strings.Fields(rdmaText(t, "", "-j", "system", "show"))
	for i := 0; i+1 < len(words); i += 2 {
		have, known := states[0][words[i]]
		if on, isFlag := have.(bool); isFlag {
			have = map[bool]string{true: "on", false: "off"}[on]
		}
		if known && have != words[i+1] || !known && words[i+1] != "off" {
			t.Errorf("%s is %v (known: %t), rdma says %s", words[i], have, known, words[i+1])
		}
	}
	if len(words) < 4 {
		t.Errorf("rdma says little: %v", words)
	}
}

// TestRDMAMonitor: events are objects as rdma -j monitor prints them, event by
// event, and the array ends. Where the kernel has none, that is said, in exit code
// 69.
func TestRDMAMonitor(t *testing.T) {
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}}}.Up(t)
	if series, _ := lab.Inside(); series == "6.1" {
		if r := ibctl(t, "", "events", "-o", "rdma-json"); r.code != 69 || r.stdout != "" || !strings.Contains(r.stderr, "6.12") {
			t.Errorf("exit code %d, %q\n%s", r.code, r.stdout, r.stderr)
		}
		return
	}
	ours := startProgram(t, "ibctl", "events", "-o", "rdma-json")
	theirs := startProgram(t, lab.NewRDMA(t), "-j", "monitor")
	commands := []string{
		"rdma link add rxe0 type rxe netdev eth0", "rdma dev set rxe0 name hca0", "ip link set eth0 down", "ip link set eth0 name eth7", "rdma link del hca0",
	}
	var have, want []string
	waitFor(t, "both to listen", func() bool {
		run(t, "sh", "-c", "rdma link add probe type rxe netdev eth0 && rdma link del probe")
		have, want = append(have, drain(ours)...), append(want, drain(theirs)...)
		return len(have) > 0 && len(want) > 0
	})
	for _, command := range commands {
		run(t, "sh", "-c", command)
	}
	// The last event of the run is the end for both.
	ended := func(lines []string) bool {
		return len(lines) > 0 && strings.Contains(lines[len(lines)-1], "UNREGISTER") && strings.Contains(lines[len(lines)-1], "hca0")
	}
	waitFor(t, "the last event", func() bool {
		have, want = append(have, drain(ours)...), append(want, drain(theirs)...)
		return ended(have) && ended(want)
	})
	have, want = sinceProbe(have), sinceProbe(want)
	if fmt.Sprint(have) != fmt.Sprint(want) || len(have) < 3 {
		t.Errorf("ibctl events -o rdma-json\n%s\nrdma -j monitor\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	ours.stop(os.Interrupt)
	theirs.stop(syscall.SIGKILL)
	if rest := drain(ours); ours.cmd.ProcessState.ExitCode() != 0 || len(rest) == 0 || rest[len(rest)-1] != "]" {
		t.Errorf("interrupted: exit code %d, it ends with %q", ours.cmd.ProcessState.ExitCode(), rest)
	}
}

// drain returns the lines that a program has printed since it was last asked.
func drain(b *background) (lines []string) {
	for {
		select {
		case line, ok := <-b.lines:
			if !ok {
				return lines
			}
			lines = append(lines, line)
		default:
			return lines
		}
	}
}

// sinceProbe leaves out what was sent before both listened: all up to the last
// event of the probe.
func sinceProbe(lines []string) []string {
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], `"probe"`) {
			return lines[i+1:]
		}
	}
	return lines
}
