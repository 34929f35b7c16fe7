package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

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

// TestBatchSeesChanges: the clients of a batch live from line to line, and what
// they say is true all the same.
func TestBatchSeesChanges(t *testing.T) {
	oneNetdev(t)
	run(t, "ip", "addr", "add", "10.7.7.7/24", "dev", "eth0")
	b := startBatch(t)
	defer b.end(t)
	run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
	b.ask(t, "wait rxe0 --for gid=10.7.7.7 --timeout 30s -o name", "rxe0/1/1")
	b.ask(t, "gid show rxe0/1/1 -o name", "rxe0/1/1")
	run(t, "rdma", "link", "del", "rxe0")
	b.tell("dev list -o name") // which prints nothing
	b.ask(t, "wait rxe0 --for absent --timeout 30s -o name", "rxe0")
	run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
	b.ask(t, "wait rxe0 --for gid=10.7.7.7 --timeout 30s -o name", "rxe0/1/1")
	run(t, "rdma", "dev", "set", "rxe0", "name", "rxe9")
	b.ask(t, "gid show rxe9 --ip 10.7.7.7 -o name", "rxe9/1/1")
	b.ask(t, "cm tos rxe9 -o name", "rxe9/1")
	b.ask(t, "gid show rxe9/1/1 -o name", "rxe9/1/1")
	run(t, "rdma", "link", "del", "rxe9")
}

// batchProcess is an ibctl batch whose lines are given one by one.
type batchProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startBatch(t *testing.T) *batchProcess {
	t.Helper()
	cmd := exec.Command("ibctl", "batch", "--force", "-")
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil || errIn != nil || errOut != nil {
		t.Fatal(err, errIn, errOut)
	}
	return &batchProcess{cmd, in, bufio.NewReader(out)}
}

func (b *batchProcess) tell(line string) { fmt.Fprintln(b.in, line) }

// ask gives a line, and expects one.
func (b *batchProcess) ask(t *testing.T, line, want string) {
	t.Helper()
	b.tell(line)
	stuck := time.AfterFunc(2*patience, func() { _ = b.cmd.Process.Kill() }) // the read below ends then
	defer stuck.Stop()
	got, err := b.out.ReadString('\n')
	if err != nil || strings.TrimSpace(got) != want {
		t.Errorf("%s: %q, %v, want %q", line, got, err, want)
	}
}

func (b *batchProcess) end(t *testing.T) {
	t.Helper()
	b.in.Close()
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("ibctl batch: %v", err)
	}
}

// TestEventNames: what happens to a device has the same names on every kernel,
// whether it is a monitor group that tells or uevents.
func TestEventNames(t *testing.T) {
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}, Down: true}}}.Up(t)
	run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
	events := startProgram(t, "ibctl", "events", "-o", "jsonl", "--socket", "none")
	awaitKinds(t, events, "rxe0", "device-arrived", "device-registered")
	for _, step := range []struct {
		command string
		device  string
		kinds   []string
	}{
		{"rdma link add rxe1 type rxe netdev eth1", "rxe1", []string{"device-arrived", "device-registered"}},
		{"ip link set eth1 name eth7", "rxe1", []string{"device-changed"}},
		{"rdma dev set rxe1 name hca1", "hca1", []string{"device-renamed"}},
		{"rdma link del hca1", "hca1", []string{"device-leaving", "device-unregistered"}},
	} {
		run(t, "sh", "-c", step.command)
		awaitKinds(t, events, step.device, step.kinds...)
	}
	events.stop(os.Interrupt)
	if code := events.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("interrupted, it ended with %d", code)
	}
}

// awaitKinds waits for events of a device, in that order and with no others in
// between but changes: a kernel without a monitor group tells of those in more steps.
func awaitKinds(t *testing.T, events *background, device string, kinds ...string) {
	t.Helper()
	for _, want := range kinds {
		var got object
		waitFor(t, want, func() bool {
			select {
			case line := <-events.lines:
				got = nil
				decode(t, line, &got)
				return got["kind"] != "device-changed" || want == "device-changed"
			default:
				return false
			}
		})
		if got["kind"] != want || got["device"] != device {
			t.Errorf("%v of %v, want %s of %s: %v", got["kind"], got["device"], want, device, got)
		}
	}
}
