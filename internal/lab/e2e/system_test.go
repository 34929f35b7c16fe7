package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// TestSystemShow: what rdma system says, in its words.
func TestSystemShow(t *testing.T) {
	items := ibctlItems(t, "", "system", "show")
	if len(items) != 1 {
		t.Fatal(items)
	}
	for _, tool := range []string{"rdma", lab.NewRDMA(t)} {
		words := strings.Fields(run(t, tool, "system"))
		for i := 0; i+1 < len(words); i += 2 {
			have := items[0][strings.ReplaceAll(words[i], "-", "_")]
			switch {
			case words[i] == "monitor" && have == nil && words[i+1] == "off": // rdma takes a kernel that does not know it so
			case have == true && words[i+1] == "on", have == false && words[i+1] == "off", have == words[i+1]:
			default:
				t.Errorf("%s is %v, %s says %s", words[i], have, tool, words[i+1])
			}
		}
	}
}

// TestSystemNetns: the change is made where nothing stands in its way, and
// otherwise what does is named, processes and all, and nothing is changed.
func TestSystemNetns(t *testing.T) {
	mode := func() any { return ibctlItems(t, "", "system", "show")[0]["netns"] }
	t.Run("in the way", func(t *testing.T) {
		lab.Topology{Namespaces: []string{"blue"}}.Up(t)
		b := startProgram(t, "ip", "netns", "exec", "blue", "sleep", "1000")
		waitFor(t, "sleep to be in the namespace", func() bool {
			r := ibctl(t, "", "system", "set", "netns", "exclusive", "--dry-run", "-o", "json")
			var doc struct{ Items []object }
			decode(t, r.stdout, &doc)
			return r.code == 75 && len(doc.Items) == 1 && doc.Items[0]["name"] == "blue" &&
				strings.Contains(fmt.Sprint(doc.Items[0]["processes"]), fmt.Sprintf("pid:%d", b.cmd.Process.Pid)) && strings.Contains(fmt.Sprint(doc.Items), "comm:sleep")
		})
		r := ibctl(t, "", "system", "set", "netns", "exclusive")
		if r.code != 75 || !strings.Contains(r.stderr, "in the way: blue") || !strings.Contains(r.stderr, "options ib_core netns_mode=0") {
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
		if mode() != "shared" {
			t.Errorf("the mode is %v", mode())
		}
	})
	t.Run("free", func(t *testing.T) {
		t.Cleanup(func() { _ = ibctl(t, "", "system", "set", "netns", "shared") })
		waitFor(t, "the namespace to be gone for good", func() bool {
			return ibctl(t, "", "system", "set", "netns", "exclusive").code == 0
		})
		if mode() != "exclusive" {
			t.Errorf("the mode is %v", mode())
		}
		if r := ibctl(t, "", "system", "set", "netns", "shared"); r.code != 0 || mode() != "shared" {
			t.Errorf("back: exit code %d, mode %v\n%s", r.code, mode(), r.stderr)
		}
	})
}

// TestSystemPrivilegedQKey: it is set where the kernel has it, and refused by name
// where not.
func TestSystemPrivilegedQKey(t *testing.T) {
	get := func() any { return ibctlItems(t, "", "system", "show")[0]["privileged_qkey"] }
	t.Cleanup(func() { _ = ibctl(t, "", "system", "set", "privileged-qkey", "off") })
	r := ibctl(t, "", "system", "set", "privileged-qkey", "on")
	if series, _ := lab.Inside(); series == "6.1" {
		if r.code != 69 || !strings.Contains(r.stderr, "6.7") || get() != nil {
			t.Errorf("exit code %d, %v\n%s", r.code, get(), r.stderr)
		}
		return
	}
	if r.code != 0 || get() != true {
		t.Errorf("exit code %d, %v\n%s", r.code, get(), r.stderr)
	}
}

// TestDevSet: settings arrive in the kernel, and what its driver cannot do is said.
func TestDevSet(t *testing.T) {
	oneHCA().Up(t)
	for _, value := range []string{"on", "off"} {
		if r := ibctl(t, "", "dev", "set", "rxe0", "adaptive-moderation", value); r.code != 0 {
			t.Errorf("exit code %d\n%s", r.code, r.stderr)
		}
		theirs := rdmaObjects(t, "", "-d", "dev")[0]["adaptive-moderation"]
		if have := ibctlItems(t, "", "dev", "show")[0]["adaptive_moderation"]; have != (value == "on") || have != theirs {
			t.Errorf("%s: ibctl says %v, rdma %v", value, have, theirs)
		}
	}
	if r := ibctl(t, "", "dev", "set", "rxe0", "node-desc", "node17 rail 3"); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	text, err := os.ReadFile("/sys/class/infiniband/rxe0/node_desc")
	if err != nil || strings.TrimRight(string(text), "\n") != "node17 rail 3" {
		t.Errorf("the kernel has %q, %v", text, err)
	}
	r := ibctl(t, "", "dev", "add", "smi0", "--type", "smi", "--parent", "rxe0")
	if r.code != 69 || !strings.Contains(r.stderr, "rxe0 makes no sub-devices") && !strings.Contains(r.stderr, "6.11") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if r := ibctl(t, "", "dev", "set", "rxe9", "node-desc", "x"); r.code != 66 {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}
