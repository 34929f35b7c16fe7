package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestCMListAgreesWithRDMA: every id that rdma knows, with the same words, and the host's pids.
func TestCMListAgreesWithRDMA(t *testing.T) {
	oneNamespace(t)
	server := rpingServer(t, hostB, "7174")
	everywhere := rpingServer(t, "0.0.0.0", "7999", "-P")
	ping(t, "", 0, hostB, "--from", hostA, "-c", "1")
	client := startProgram(t, "rping", "-c", "-I", hostA, "-a", hostB, "-p", "7174")
	waitFor(t, "rping to connect", func() bool {
		return len(ibctlItems(t, "", "cm", "list", "--state", "connect")) == 2
	})
	items := ibctlItems(t, "", "cm", "list")
	compareIDs(t, items, rdmaObjects(t, "", "res", "show", "cm_id"))
	owners := map[string]int{}
	for _, id := range items {
		owners[fmt.Sprint(id["pid"])]++
		if id["comm"] != "rping" {
			t.Errorf("%v: not rping's", id)
		}
	}
	for b, want := range map[*background]int{server: 2, everywhere: 2, client: 1} {
		if got := owners[strconv.Itoa(b.cmd.Process.Pid)]; got != want {
			t.Errorf("pid %d has %d ids, want %d: %v", b.cmd.Process.Pid, got, want, owners)
		}
	}
	checkFilters(t, client)
}

// compareIDs holds ours against rdma's. rdma calls pid what is the number of a thread.
func compareIDs(t *testing.T, ours, theirs []object) {
	t.Helper()
	key := func(o object, device, number string) string { return fmt.Sprintf("%v/%v", o[device], o[number]) }
	known := map[string]object{}
	for _, id := range ours {
		known[key(id, "device", "cm_idn")] = id
	}
	if len(ours) != len(theirs) {
		t.Errorf("%d ids, rdma has %d", len(ours), len(theirs))
	}
	for _, id := range theirs {
		have := known[key(id, "ifname", "cm-idn")]
		for from, to := range map[string]string{"port": "port", "lqpn": "lqpn", "qp-type": "qp_type", "state": "state", "ps": "ps", "pid": "tid", "comm": "comm", "src-addr": "src_addr", "dst-addr": "dst_addr"} {
			if theirs := id[from]; theirs != nil && fmt.Sprint(theirs) != fmt.Sprint(have[to]) {
				t.Errorf("%v: %s is %v, rdma says %v", have, to, have[to], theirs)
			}
		}
	}
}

func checkFilters(t *testing.T, client *background) {
	t.Helper()
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"rxea"}, 2},
		{[]string{"rxeb/1"}, 2}, // the listener on any address is bound to no port
		{[]string{"--pid", strconv.Itoa(client.cmd.Process.Pid)}, 1},
		{[]string{"--ip", hostA}, 2},
		{[]string{"--state", "LISTEN", "rxeb"}, 2},
		{[]string{"--ip", "10.9.9.9"}, 0},
	} {
		if items := ibctlItems(t, "", append([]string{"cm", "list"}, tt.args...)...); len(items) != tt.want {
			t.Errorf("cm list %q: %d ids, want %d: %v", tt.args, len(items), tt.want, items)
		}
	}
}

// TestCMStat: the counters are the kernel's.
func TestCMStat(t *testing.T) {
	oneNamespace(t)
	ping(t, "", 0, hostB, "--from", hostA, "-c", "2", "-i", "0.1")
	items := ibctlItems(t, "", "cm", "stat")
	if len(items) != 22 {
		t.Errorf("%d counters, want 11 of each device", len(items))
	}
	for _, item := range items {
		want := cmCounters(t, item["device"].(string), item["message"].(string))
		for group, n := range want {
			if got := fmt.Sprint(item[strings.TrimPrefix(group, "cm_")]); got != strconv.Itoa(n) {
				t.Errorf("%v/%v: %s is %s, want %d", item["device"], item["message"], group, got, n)
			}
		}
	}
	if r := ibctl(t, "", "cm", "stat", "rxea", "--no-headers"); len(strings.Split(strings.TrimSpace(r.stdout), "\n")) != 2 {
		t.Errorf("want req and rej alone:\n%s", r.stdout)
	}
}

// TestCMStatWatch: what happens while it looks is what it shows.
func TestCMStatWatch(t *testing.T) {
	oneNamespace(t)
	watch := startProgram(t, "ibctl", "cm", "stat", "rxea", "--watch", "-i", "200ms", "-o", "jsonl")
	seen := false
	for !seen {
		ping(t, "", 0, hostB, "--from", hostA, "-c", "5", "-i", "0.05")
		for more := true; more && !seen; {
			select {
			case line := <-watch.lines:
				var c object
				decode(t, line, &c)
				seen = c["message"] == "req" && c["tx_per_second"] != nil
			default:
				more = false
			}
		}
		if !watch.alive() {
			t.Fatalf("ended: %v", watch.cmd.ProcessState)
		}
	}
	watch.stop(os.Interrupt)
	if code := watch.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("interrupted, it ended with %d", code)
	}
}
