package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// counterValues are values by device, port and name, as one source shows them.
type counterValues map[string]uint64

func counterKey(device, port, name any) string { return fmt.Sprintf("%v/%v %v", device, port, name) }

// rdmaCounters reads what rdma -j statistic prints: every key of its objects but
// those that say where.
func rdmaCounters(t *testing.T) counterValues {
	t.Helper()
	values := counterValues{}
	for _, o := range rdmaObjects(t, "", "statistic", "show") {
		for name, v := range o {
			if name != "ifname" && name != "port" && name != "ifindex" {
				values[counterKey(o["ifname"], o["port"], name)] = uint64Of(t, v)
			}
		}
	}
	return values
}

func uint64Of(t *testing.T, v any) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v.(json.Number).String(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sysfsCounters reads every file of counters.
func sysfsCounters(t *testing.T) counterValues {
	t.Helper()
	values := counterValues{}
	files, err := filepath.Glob("/sys/class/infiniband/*/ports/*/*counters/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		part := strings.Split(file, "/")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch part[8] {
		case "lifespan": // which is no counter
			continue
		case "port_rcv_data", "port_xmit_data": // which count words
			n *= 4
		}
		values[counterKey(part[4], part[6], part[8])] = n
	}
	return values
}

func ibctlCounters(t *testing.T, args ...string) counterValues {
	t.Helper()
	values := counterValues{}
	for _, i := range ibctlItems(t, "", append([]string{"stat", "show"}, args...)...) {
		values[counterKey(i["device"], i["port"], i["counter"])] = uint64Of(t, i["value"])
	}
	return values
}

// between checks that every counter of before and after is in ours, with a value
// that it had meanwhile.
func between(t *testing.T, source string, before, ours, after counterValues) {
	t.Helper()
	if len(before) == 0 {
		t.Errorf("%s has no counters", source)
	}
	for key, low := range before {
		v, ok := ours[key]
		if high := after[key]; !ok || v < low || v > high {
			t.Errorf("%s is %d (there: %t), and %s said %d before and %d after", key, v, ok, source, low, high)
		}
	}
}

// TestStatAgreesWithPeers: under load, every counter that rdma and sysfs have is
// in ibctl's list, with a value that it had meanwhile.
func TestStatAgreesWithPeers(t *testing.T) {
	oneNamespace(t)
	rpingServer(t, hostB, "7174")
	client := startProgram(t, "rping", "-c", "-I", hostA, "-a", hostB, "-p", "7174")
	var sent uint64
	waitFor(t, "rping's traffic", func() bool {
		sent = rdmaCounters(t)["rxea/1 sent_pkts"]
		return sent > 100
	})
	byRDMA, byFile := rdmaCounters(t), sysfsCounters(t)
	ours := ibctlCounters(t)
	between(t, "rdma", byRDMA, ours, rdmaCounters(t))
	between(t, "sysfs", byFile, ours, sysfsCounters(t))
	if len(ours) != len(byFile) {
		t.Errorf("ibctl has %d counters, and sysfs %d files of them", len(ours), len(byFile))
	}
	if !client.alive() || ours["rxea/1 sent_pkts"] <= sent {
		t.Errorf("no traffic while it was compared: %d packets, and %d before", ours["rxea/1 sent_pkts"], sent)
	}
	checkRDMAJSON(t)
	checkStatFilters(t)
	watchStat(t)
}

// checkRDMAJSON holds -o rdma-json against rdma, key by key and in its order.
func checkRDMAJSON(t *testing.T) {
	t.Helper()
	theirs := keysInOrder(run(t, "rdma", "-j", "statistic", "show"))
	if ours := keysInOrder(run(t, "ibctl", "stat", "show", "-o", "rdma-json")); ours != theirs {
		t.Errorf("-o rdma-json has the keys\n%s\nrdma has\n%s", ours, theirs)
	}
}

// keysInOrder is JSON without its numbers and white space.
func keysInOrder(text string) string {
	return numbers.ReplaceAllString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(text), "N")
}

func checkStatFilters(t *testing.T) {
	t.Helper()
	for _, i := range ibctlItems(t, "", "stat", "show", "rxea/1", "--nonzero", "--errors") {
		if i["device"] != "rxea" || i["value"] == json.Number("0") || i["error"] != true {
			t.Errorf("--nonzero --errors let %v through", i)
		}
	}
}

// watchStat: what moves while it looks is what it shows, with a rate.
func watchStat(t *testing.T) {
	t.Helper()
	watch := startProgram(t, "ibctl", "stat", "show", "rxea", "--watch", "-i", "200ms", "-o", "jsonl")
	waitFor(t, "sent_pkts to move", func() bool {
		select {
		case line := <-watch.lines:
			var c object
			decode(t, line, &c)
			return c["counter"] == "sent_pkts" && c["per_second"] != nil && c["unit"] == "packets"
		default:
			return false
		}
	})
	watch.stop(os.Interrupt)
	if code := watch.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("interrupted, it ended with %d", code)
	}
}

// TestStatMode: how a port counts is what rdma says, and changing it is for those
// who may; soft RoCE cannot give counters to queue pairs.
func TestStatMode(t *testing.T) {
	oneNamespace(t)
	modes := ibctlItems(t, "", "stat", "mode")
	if len(modes) != 2 || modes[0]["qp_mode"] != "none" || len(modes[0]["optional"].([]any)) != 0 {
		t.Errorf("modes: %v", modes)
	}
	if supported := rdmaObjects(t, "", "statistic", "mode", "supported"); len(supported) != 0 {
		t.Errorf("rdma knows optional counters, ibctl none: %v", supported)
	}
	if sets, theirs := ibctlItems(t, "", "stat", "qp"), rdmaObjects(t, "", "statistic", "qp", "show"); len(sets) != len(theirs) {
		t.Errorf("%d counter sets, rdma has %d", len(sets), len(theirs))
	}
	for _, args := range [][]string{
		{"stat", "set", "rxea/1", "--auto", "pid"}, {"stat", "set", "rxea/1", "--qp", "17"}, {"stat", "unset", "rxea/1", "--qp", "17", "--set", "1"},
		{"stat", "unset", "rxea/1", "--all-optional"},
	} {
		if r := asNobody(t, args...); r.code != 77 {
			t.Errorf("nobody's ibctl %q: exit code %d\n%s", args, r.code, r.stderr)
		}
	}
	if r := ibctl(t, "", "stat", "set", "rxea/1", "--optional", "nosuch"); r.code != 64 {
		t.Errorf("an optional counter that is not there: exit code %d\n%s", r.code, r.stderr)
	}
	if r := ibctl(t, "", "stat", "set", "rxea/1", "--qp", "16000000"); r.code != 66 {
		t.Errorf("a queue pair that is not there: exit code %d\n%s", r.code, r.stderr)
	}
	checkAuto(t)
}

// checkAuto: what is set is what rdma sees, and what is taken back is gone.
func checkAuto(t *testing.T) {
	t.Helper()
	for _, tt := range []struct {
		args []string
		mode string
		by   string
	}{
		{[]string{"stat", "set", "rxea/1", "--auto", "pid"}, "auto", "[pid]"},
		{[]string{"stat", "set", "rxea", "--auto", "type,pid"}, "auto", "[type pid]"},
		{[]string{"stat", "unset", "rxea/1", "--all-auto"}, "none", "<nil>"},
	} {
		items := ibctlItems(t, "", tt.args...)
		if len(items) != 1 || items[0]["qp_mode"] != tt.mode || fmt.Sprint(items[0]["qp_by"]) != tt.by {
			t.Errorf("%q: %v", tt.args, items)
		}
		theirs := run(t, lab.NewRDMA(t), "statistic", "qp", "mode", "link", "rxea/1")
		for _, word := range []string{"type", "pid"} {
			if strings.Contains(theirs, word) != strings.Contains(tt.by, word) {
				t.Errorf("%q: rdma says %s", tt.args, theirs)
			}
		}
	}
}

// asNobody runs ibctl as a user without any privilege.
func asNobody(t *testing.T, args ...string) cliResult {
	t.Helper()
	cmd := exec.Command("ibctl", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return runCLI(t, cmd)
}
