package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel's own record of what it does when (tracefs): the last word on which
// came first.
const tracefs = "/sys/kernel/tracing"

// trace is what the kernel did, as far as the tests look, in order.
type trace []traced

type traced struct {
	event string // dellink, destroy, exit
	tgid  int    // of the process that did it
	pid   int    // of a thread that exits
	line  string
}

// startTrace has the kernel note each delete-link request, each destruction of a CM id,
// and each end of a thread.
func startTrace(t *testing.T) (stop func() trace) {
	t.Helper()
	if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil && err != unix.EBUSY {
		t.Fatalf("mount tracefs: %v", err)
	}
	// The clock is one for all CPUs.
	for _, w := range [][2]string{
		{"trace_clock", "mono"}, {"options/record-tgid", "1"}, {"buffer_size_kb", "4096"}, {"trace", ""},
		{"kprobe_events", "p:ibctl/dellink nldev_dellink\np:ibctl/destroy rdma_destroy_id\n"},
		{"events/ibctl/enable", "1"}, {"events/sched/sched_process_exit/enable", "1"}, {"tracing_on", "1"},
	} {
		writeTrace(t, w[0], w[1])
	}
	stopped := false
	end := func() {
		if stopped {
			return
		}
		stopped = true
		writeTrace(t, "tracing_on", "0")
		writeTrace(t, "events/ibctl/enable", "0")
		writeTrace(t, "events/sched/sched_process_exit/enable", "0")
		writeTrace(t, "kprobe_events", "")
	}
	t.Cleanup(end)
	return func() trace {
		writeTrace(t, "tracing_on", "0")
		text, err := os.ReadFile(filepath.Join(tracefs, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		end()
		return parseTrace(t, string(text))
	}
}

func writeTrace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tracefs, file), []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// traceLine is "ibctl-cm-245     (    243) [001] ..... 81.437: destroy: (rdma_destroy_id+0x0/0x20 [rdma_cm])".
var traceLine = regexp.MustCompile(`-(\d+)\s+\(\s*(\d+|-+)\)\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+): (.*)$`)

var exitingPID = regexp.MustCompile(`pid=(\d+)`)

func parseTrace(t *testing.T, text string) (all trace) {
	t.Helper()
	for line := range strings.Lines(text) {
		m := traceLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		e := traced{event: m[3], line: strings.TrimSpace(line)}
		e.tgid, _ = strconv.Atoi(m[2]) // unknown for one that ended early
		if m[3] == "sched_process_exit" {
			e.event = "exit"
			e.pid, _ = strconv.Atoi(exitingPID.FindStringSubmatch(m[4])[1])
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		t.Fatalf("no line of the trace is understood:\n%s", text)
	}
	return all
}

// first returns when something happened first; it must have.
func (tr trace) first(t *testing.T, what string, fits func(traced) bool) int {
	t.Helper()
	for i, e := range tr {
		if fits(e) {
			return i
		}
	}
	t.Fatalf("the kernel has seen no %s", what)
	return 0
}

// exitOf returns when a process ended; it must have.
func (tr trace) exitOf(t *testing.T, what string, pid int) int {
	t.Helper()
	return tr.first(t, fmt.Sprintf("end of %s, %d", what, pid), func(e traced) bool { return e.event == "exit" && e.pid == pid })
}
