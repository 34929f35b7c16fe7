package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

type resourceKind struct{ theirs, verb, number string }

// resourceKinds are rdma's names for kinds of objects, with our verb and the
// attribute that tells objects apart.
var resourceKinds = []resourceKind{
	{"qp", "qp", "lqpn"}, {"cq", "cq", "cqn"}, {"mr", "mr", "mrn"}, {"pd", "pd", "pdn"},
	{"ctx", "ctx", "ctxn"}, {"srq", "srq", "srqn"}, {"cm_id", "cm-id", "cm-idn"},
}

// TestPeersRes: every attribute that rdma prints of any object is in what ibctl
// prints, with the same value. Which attributes there are is learnt from rdma.
func TestPeersRes(t *testing.T) {
	onOldestAndNewest(t)
	l := startLoad(t)
	t.Run("live", func(t *testing.T) { compareResources(t, "", resourceKinds, "rq-psn", "sq-psn") }) // which count on between two looks
	l.freeze(t)
	t.Run("frozen", func(t *testing.T) { compareResources(t, "", resourceKinds) })
	t.Run("frozen, netns=blue", func(t *testing.T) { compareResources(t, "blue", resourceKinds[:1]) })
	t.Run("rdma-json", compareRDMAJSON)
	t.Run("ports", comparePorts)
	t.Run("capabilities", compareCapabilities)
	t.Run("counts", compareCounts)
	t.Run("filters", checkResFilters)
	t.Run("sums", checkResSums)
}

// compareResources holds all objects of some kinds against rdma's. moving are
// attributes that only have to be there.
func compareResources(t *testing.T, netns string, kinds []resourceKind, moving ...string) {
	for _, k := range kinds {
		have := byKey(ibctlItems(t, netns, "res", k.verb, "--all"), "device", strings.ReplaceAll(k.number, "-", "_"))
		theirs := byKey(rdmaObjects(t, netns, "-dd", "res", "show", k.theirs), "ifname", k.number)
		seen := map[string]bool{}
		if len(theirs) == 0 {
			t.Errorf("rdma knows no %s, which proves nothing", k.theirs)
		}
		for name := range have {
			if theirs[name] == nil {
				t.Errorf("%s %s: rdma does not know it", k.theirs, name)
			}
		}
		for name, object := range theirs {
			for key, value := range object {
				seen[key] = true
				compareAttribute(t, k.theirs+" "+name, have[name], key, value, slices.Contains(moving, key))
			}
		}
		t.Logf("%d objects of kind %s, attributes compared: %s", len(theirs), k.theirs, strings.Join(slices.Sorted(maps.Keys(seen)), " "))
	}
}

// compareAttribute holds one attribute of rdma's against ours.
func compareAttribute(t *testing.T, name string, have object, key string, want any, moves bool) {
	t.Helper()
	ourKey, ourValue := translated(have, key)
	switch {
	case ourValue == nil:
		t.Errorf("%s: no %s, rdma says %v", name, ourKey, want)
	case !moves && !reflect.DeepEqual(ourValue, peerValue(key, want)):
		t.Errorf("%s: %s is %v, rdma says %v", name, ourKey, ourValue, want)
	}
}

// translated finds our name and value of an attribute of rdma's. What rdma calls
// pid is a thread, and its JSON has kernel modules without their brackets.
func translated(have object, key string) (string, any) {
	switch key {
	case "ifname":
		return "device", have["device"]
	case "ifindex":
		return "device_index", have["device_index"]
	case "pid":
		return "tid", have["tid"]
	case "comm":
		if thread := have["thread"]; thread != nil {
			return "thread", thread
		}
		if comm, ok := have["comm"].(string); ok && have["pid"] == nil {
			return "comm", strings.Trim(comm, "[]")
		}
	}
	ours := strings.ReplaceAll(key, "-", "_")
	return ours, have[ours]
}

// peerValue is the number that rdma -j means by a key: it prints keys as
// hexadecimal text.
func peerValue(key string, value any) any {
	text, isText := value.(string)
	if !isText || !strings.HasSuffix(key, "key") {
		return value
	}
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return value
	}
	return json.Number(strconv.FormatUint(n, 10))
}

func compareCounts(t *testing.T) {
	have := byKey(ibctlItems(t, "", "res", "list"), "device")
	for name, object := range byKey(rdmaObjects(t, "", "res", "show"), "ifname") {
		for key, value := range object {
			compareAttribute(t, name, have[name], key, value, false)
		}
	}
}

// checkResFilters holds filters against rdma's own, and against what is known of
// the load.
func checkResFilters(t *testing.T) {
	for _, tt := range []struct{ verb, flag, list, theirs string }{
		{"qp", "--state", "rts,rtr", "state rts,rtr"},
		{"qp", "--number", "2-100", "lqpn 2-100"},
		{"qp", "--type", "rc", "type rc"},
	} {
		have := ibctlItems(t, "", "res", tt.verb, tt.flag, tt.list)
		want := rdmaObjects(t, "", append([]string{"res", "show", tt.verb}, strings.Fields(tt.theirs)...)...)
		if len(have) != len(want) || len(want) == 0 {
			t.Errorf("res %s %s %s: %d objects, rdma has %d", tt.verb, tt.flag, tt.list, len(have), len(want))
		}
	}
	for _, o := range ibctlItems(t, "", "res", "qp", "rxe0/1", "--comm", "IB_*", "--where", "pdn=0-1000") {
		if o["device"] != "rxe0" || o["comm"] != "ib_write_bw" {
			t.Errorf("not asked for: %v", o)
		}
	}
	bw := ibctlItems(t, "", "res", "mr", "--comm", "ib_write_bw")
	pid := fmt.Sprint(bw[0]["pid"])
	if own := ibctlItems(t, "", "res", "mr", "--pid", pid); len(bw) != 2 || len(own) != 1 {
		t.Errorf("%d regions of ib_write_bw, %d of pid %s", len(bw), len(own), pid)
	}
	if r := ibctl(t, "", "res", "qp", "nosuch"); r.code != 66 {
		t.Errorf("a device that is not there: exit code %d\n%s", r.code, r.stderr)
	}
}

// checkResSums: each process has what it has, and who owns it is named.
func checkResSums(t *testing.T) {
	sums := byKey(ibctlItems(t, "", "res", "list", "--by", "pid"), "pid")
	for _, o := range ibctlItems(t, "", "res", "mr") {
		sum := sums[fmt.Sprint(o["pid"])]
		if sum == nil || sum["comm"] != o["comm"] || sum["user"] != "root" || sum["mr"] == nil || sum["mr_octets"] == nil {
			t.Errorf("%v: the sum of its process is %v", o, sum)
		}
	}
	total := 0
	for _, sum := range ibctlItems(t, "", "res", "qp", "--by", "state") {
		n, err := strconv.Atoi(fmt.Sprint(sum["qp"]))
		if err != nil {
			t.Error(err)
		}
		total += n
	}
	if all := ibctlItems(t, "", "res", "qp"); total != len(all) {
		t.Errorf("the sums by state have %d queue pairs, there are %d", total, len(all))
	}
}

// TestResWatch: what comes and goes is told as it does.
func TestResWatch(t *testing.T) {
	oneHCA().Up(t)
	watch := startProgram(t, "ibctl", "res", "pd", "rxe0", "--watch", "-i", "100ms", "-o", "jsonl")
	next := func(change, comm string, meanwhile func()) {
		t.Helper()
		waitFor(t, change+" "+comm, func() bool {
			meanwhile()
			for {
				select {
				case line := <-watch.lines:
					var o object
					if decode(t, line, &o); o["change"] == change && o["comm"] == comm {
						return true
					}
				default:
					return false
				}
			}
		})
	}
	next("present", "[ib_core]", func() {})
	rping := startProgram(t, "rping", "-s", "-a", "192.0.2.1")
	next("new", "rping", func() {
		if !rping.alive() { // the kernel did not have the address yet
			rping = startProgram(t, "rping", "-s", "-a", "192.0.2.1")
		}
	})
	rping.stop(syscall.SIGKILL)
	next("gone", "rping", func() {})
}
