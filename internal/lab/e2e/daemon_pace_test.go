package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/uevent"
)

// What the lab takes on quiet processors is in the logs: some 50 to 150 ms to the last Add, a wake every few seconds. These
// limits tell a daemon that waits for its next look around from one that is told; more cannot be asked of processors
// that are emulated, and shared.
const (
	mostWakes     = 5.0 // a second, in ten of them, of which one look around is many
	mostWakesLong = 1.0
	mostIdle      = 2.0 // percent of a processor
)

// The long form is for a machine that does nothing else, and has the narrower limits.
var (
	latestAdd     = time.Duration(soak.Times(10, 1)) * time.Second // in the median
	latestDefault = time.Duration(soak.Times(20, 5)) * time.Second
)

// TestDaemonHotPlugLatency measures from the kernel's event to the last client's
// Add, and prints it.
func TestDaemonHotPlugLatency(t *testing.T) {
	onOneKernel(t)
	oneHCA().Up(t)
	s := serve(t, "")
	h := s.follow(t)
	arrivals := arrivalTimes(t)
	var took []time.Duration
	for i := range soak.Times(11, 31) {
		run(t, "rdma", "link", "del", "rxe"+strconv.Itoa(i))
		name := "rxe" + strconv.Itoa(i+1)
		run(t, "rdma", "link", "add", name, "type", "rxe", "netdev", "eth0")
		event := <-arrivals
		registered := h.wait(t, name+" to be registered", func(e *apiv1.Event) bool {
			return e.GetKind() == "device-registered" && e.GetDevice() == name
		})
		took = append(took, time.Unix(0, registered.GetTimeUnixNano()).Sub(event))
	}
	slices.Sort(took)
	t.Logf("from the kernel's event to the last of two clients' Add: median %v, least %v, most %v, of %d",
		took[len(took)/2], took[0], took[len(took)-1], len(took))
	if took[len(took)/2] > latestAdd {
		t.Errorf("the median is over %v: %v", latestAdd, took)
	}
}

// arrivalTimes tells when the kernel's events of devices' coming are heard here,
// by a listener like the daemon's own.
func arrivalTimes(t *testing.T) <-chan time.Time {
	t.Helper()
	l, err := uevent.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	times, ended := make(chan time.Time, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			e, err := l.Receive(ctx)
			if err != nil {
				return
			}
			if e.Subsystem == "infiniband" && e.Action == uevent.Add {
				times <- time.Now()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		l.Close()
	})
	return times
}

// TestDaemonPutsDefaultsBack: what the configuration names is there again when a
// device comes again. How soon is printed.
func TestDaemonPutsDefaultsBack(t *testing.T) {
	oneHCA().Up(t)
	serve(t, "cm:\n  defaults:\n    - {device: \"rxe*\", tos: 8, roce_mode: v2}\n    - {device: rxe0, dscp: 26}\n    - {device: hca0, dscp: 10}\n")
	if got := throughConfigfs(t, "rxe0", "default_roce_tos", ""); got != "104" {
		t.Errorf("at the start: tos %s, want 104", got)
	}
	var most time.Duration
	for range 10 {
		run(t, "rdma", "link", "del", "rxe0")
		run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
		added := time.Now()
		waitFor(t, "tos 104", func() bool { return defaultTOS("rxe0") == "104" })
		most = max(most, time.Since(added))
	}
	t.Logf("after a device was deleted and added again: its default is back within %v, of 10", most)
	if most > latestDefault {
		t.Errorf("it took more than %v", latestDefault)
	}
	run(t, "rdma", "dev", "set", "rxe0", "name", "other0") // a default belongs to the device, and stays
	waitFor(t, "tos 104 under the other name", func() bool { return defaultTOS("other0") == "104" })
	run(t, "rdma", "dev", "set", "other0", "name", "hca0") // which has an entry of its own
	waitFor(t, "tos 40", func() bool { return defaultTOS("hca0") == "40" })
}

// defaultTOS is throughConfigfs for a device that may not be there, or be looked
// at by somebody else.
func defaultTOS(device string) string {
	dir := cmConfigfs + device
	if os.Mkdir(dir, 0o755) == nil {
		defer os.Remove(dir)
	}
	text, err := os.ReadFile(dir + "/ports/1/default_roce_tos")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// TestDaemonIdle measures what an idle daemon uses: processor time, and how often it
// wakes.
func TestDaemonIdle(t *testing.T) {
	onOneKernel(t)
	tp := oneHCA()
	tp.Up(t)
	s := serve(t, "")
	pids := []int{s.cmd.Process.Pid}
	for _, c := range s.clients(t) {
		pids = append(pids, int(c.GetPid()))
	}
	_ = s.Close() // nobody is connected
	time.Sleep(5 * time.Second)
	pause := time.Duration(soak.Times(10, 300)) * time.Second // it looks around every minute: the long form sees that, too
	var before []usage
	for _, pid := range pids {
		before = append(before, usageOf(t, pid))
	}
	time.Sleep(pause)
	for i, pid := range pids {
		now := usageOf(t, pid)
		what := "ibctl serve"
		if i > 0 {
			what = "a plugin"
		}
		percent, wakes := 100*(now.cpu-before[i].cpu).Seconds()/pause.Seconds(), float64(now.waits-before[i].waits)/pause.Seconds()
		t.Logf("%s, idle with one device: %.3f%% of a processor, %.2f wakes a second (%d voluntary, %d other switches in %v)", what,
			percent, wakes, now.waits-before[i].waits, now.others-before[i].others, pause)
		most := mostWakes
		if soak.On() {
			most = mostWakesLong
		}
		if percent > mostIdle || wakes > most {
			t.Errorf("%s is not idle", what)
		}
	}
}

// usage is what a process has used up, all its threads together.
type usage struct {
	cpu           time.Duration
	waits, others int // context switches: it went to sleep, or was put off
}

func usageOf(t *testing.T, pid int) (u usage) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of %d: %v, %v", pid, tasks, err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			t.Fatal(err)
		}
		ran, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		u.cpu += time.Duration(ran)
		status, err := os.ReadFile(task + "/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				u.waits += n
			} else if _, err := fmt.Sscanf(line, "nonvoluntary_ctxt_switches: %d", &n); err == nil {
				u.others += n
			}
		}
	}
	return u
}
