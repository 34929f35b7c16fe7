package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// stubborn copies the test plugin to where root alone may write, and returns its
// path.
func stubborn(t *testing.T) string {
	t.Helper()
	from, err := exec.LookPath("stubborn")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "stubborn")
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// of returns the first event of a kind, and of a client if that is given.
func of(kind, client string) func(*apiv1.Event) bool {
	return func(e *apiv1.Event) bool { return e.GetKind() == kind && (client == "" || e.GetClient() == client) }
}

// cmIDs counts the CM ids that the kernel has; they are all of the cm client.
func cmIDs(t *testing.T) int {
	t.Helper()
	return len(rdmaObjects(t, "", "res", "show", "cm_id"))
}

// TestRemoveOrder: when the delete-link request is sent, every client's Remove has
// returned, or its process tree is gone, and no CM id of the cm client is left.
// The kernel's trace is the judge. One client's Remove takes three seconds, one
// never returns, one is stopped, one crashes, and one waits for a worker that
// enumerates RoCE ports through the host: the deadlock of 2015.
func TestRemoveOrder(t *testing.T) {
	oneHCA().Up(t)
	path := stubborn(t)
	s := serve(t, `limits: {remove: 8s}
clients:
  - {name: slow, path: `+path+`, args: [slow], config: {remove: sleep}}
  - {name: dead, path: `+path+`, args: [dead], config: {remove: deadlock, child: true}}
  - {name: crash, path: `+path+`, args: [crash], config: {remove: crash}}
  - {name: flush, path: `+path+`, args: [flush], config: {remove: flush}}
  - roce
  - cm
`)
	h := s.follow(t)
	s.becomesSame(t, "the start")
	pids := map[string]int{}
	for name, c := range s.clients(t) {
		pids[name] = int(c.GetPid())
	}
	child := childOf(t, pids["dead"])
	listen := startGroup(t, "ibctl", "cm", "listen", "192.0.2.1")
	waitFor(t, "the cm client to hold CM ids", func() bool { return cmIDs(t) > 0 })
	if err := syscall.Kill(pids["roce"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stop := startTrace(t)
	done := make(chan cliResult, 1)
	go func() { done <- ibctl(t, "", "dev", "remove", "rxe0") }()
	h.wait(t, "Remove of cm", of("client-removed", "cm"))
	if n := cmIDs(t); n > 0 || !hasDevice(t, "rxe0") {
		t.Errorf("%d CM ids are left after Remove of cm, and the device is there: %v", n, hasDevice(t, "rxe0"))
	}
	r := <-done
	tr := stop()
	t.Logf("%s", r.stderr)
	if r.code != 0 || hasDevice(t, "rxe0") || !strings.Contains(r.stderr, "waiting for client ") {
		t.Fatalf("dev remove: %+v", r)
	}
	waitFor(t, "the listener to end or go on without the device", func() bool { return !stillThere(listen.Process.Pid) || cmIDs(t) == 0 })

	asked := h.wait(t, "the request", of("takedown-operation", ""))
	tooks := map[string]float64{}
	for name := range pids {
		removed := h.wait(t, "Remove of "+name, of("client-removed", name))
		tooks[name] = removed.GetTookMs()
		if removed.GetSeq() > asked.GetSeq() {
			t.Errorf("%s: removed after the request was sent", name)
		}
		if failed := removed.GetError() != ""; failed != (name == "dead" || name == "roce" || name == "crash") {
			t.Errorf("%s: error %q", name, removed.GetError())
		}
	}
	t.Logf("Removes took, in ms: %v", tooks)
	if tooks["slow"] < 3000 || tooks["dead"] < 8000 || tooks["roce"] < 8000 || tooks["crash"] > 8000 {
		t.Errorf("Removes took %v ms: want 3 s of slow, the deadline of 8 s of dead and roce, and less of crash", tooks)
	}
	dellink := tr.first(t, "delete-link request", func(e traced) bool { return e.event == "dellink" })
	destroyed := 0
	for i, e := range tr {
		switch {
		case e.event == "destroy" && e.tgid == pids["cm"] && i > dellink:
			t.Errorf("a CM id is destroyed after the request: %s", e.line)
		case e.event == "destroy" && e.tgid == pids["cm"]:
			destroyed++
		}
	}
	if destroyed == 0 {
		t.Errorf("the cm client destroyed no CM id")
	}
	for what, pid := range map[string]int{"dead": pids["dead"], "dead's child": child, "roce": pids["roce"], "crash": pids["crash"]} {
		if tr.exitOf(t, what, pid) > dellink {
			t.Errorf("%s: process %d ended after the request was sent", what, pid)
		}
	}
}

// childOf returns the process that another has started.
func childOf(t *testing.T, parent int) (child int) {
	t.Helper()
	waitFor(t, "a child of "+strconv.Itoa(parent), func() bool {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/task/" + strconv.Itoa(parent) + "/children")
		if err != nil {
			return false
		}
		for _, task := range tasksOf(parent) {
			more, _ := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/task/" + task + "/children")
			text = append(append(text, ' '), more...)
		}
		for _, f := range strings.Fields(string(text)) {
			child, _ = strconv.Atoi(f)
		}
		return child > 0
	})
	return child
}

func tasksOf(pid int) (tids []string) {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, e := range entries {
		tids = append(tids, e.Name())
	}
	return tids
}
