package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/takedown"
)

// hasDevice tells whether the kernel lists a device.
func hasDevice(t testing.TB, name string) bool {
	t.Helper()
	for _, d := range kernelDevices(t) {
		if d == name {
			return true
		}
	}
	return false
}

// inKernel tells whether a process is in a function of the kernel, and no signal
// reaches it.
func inKernel(pid int, function string) bool {
	stack, err := os.ReadFile(fmt.Sprintf("/proc/%d/stack", pid))
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stack), function) && strings.Contains(string(stat), ") D ")
}

// TestPremiseRemovalHangs: what ibctl is there to prevent. rdma link del waits for
// ib_write_bw, which nobody tells; SIGKILL does not end it. Since a 7.x the
// device is taken away from it instead, and it gets to know by EIO.
func TestPremiseRemovalHangs(t *testing.T) {
	oneHCA().Up(t)
	bw, _ := users(t)
	del := startGroup(t, "rdma", "link", "del", "rxe0")
	if !waits() {
		waitFor(t, "rdma link del to end by itself", func() bool { return !stillThere(del.Process.Pid) })
		if !stillThere(bw.Process.Pid) {
			t.Log("ib_write_bw ended when the device was taken from it")
		}
		return
	}
	waitFor(t, "rdma link del to wait for ib_write_bw", func() bool { return inKernel(del.Process.Pid, "ib_uverbs_remove_one") })
	if err := del.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 10 { // it never ends by itself; a second stands for that
		if time.Sleep(100 * time.Millisecond); !stillThere(del.Process.Pid) {
			t.Fatal("SIGKILL has ended it")
		}
	}
	if err := bw.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "rdma link del to end after ib_write_bw", func() bool { return !stillThere(del.Process.Pid) })
}

// TestRemoveRefuses, names who is in the way and changes nothing; with --evict it
// ends them, and nothing hangs.
func TestRemoveRefuses(t *testing.T) {
	oneHCA().Up(t)
	bw, rping := users(t)
	before := run(t, "rdma", "res", "show")
	start := time.Now()
	r := ibctl(t, "", "dev", "remove", "rxe0")
	t.Logf("refused after %v:\n%s", time.Since(start), r.stderr)
	inTheWay := []string{"would block a removal", "may block a removal"}
	if !waits() {
		inTheWay = []string{"would be cut off", "would be cut off"}
	}
	wanted := []string{
		fmt.Sprintf("rxe0: ib_write_bw (pid %d) %s: ", bw.Process.Pid, inTheWay[0]),
		fmt.Sprintf("rxe0: rping (pid %d) %s: ", rping.Process.Pid, inTheWay[1]),
	}
	for _, text := range wanted {
		if r.code != 75 || r.stdout != "" || !strings.Contains(r.stderr, text) {
			t.Errorf("exit code %d, want 75 and %q:\n%s%s", r.code, text, r.stdout, r.stderr)
		}
	}
	plan := ibctl(t, "", "dev", "remove", "rxe0", "--dry-run", "-o", "json")
	var doc struct{ Items []takedownStep }
	decode(t, plan.stdout, &doc)
	if len(doc.Items) != 3 || doc.Items[0].Action != "refuse" || doc.Items[0].Done || doc.Items[0].Holder.PID != bw.Process.Pid || plan.code != 0 {
		t.Errorf("the plan: %+v\n%s", plan, plan.stdout)
	}
	if !hasDevice(t, "rxe0") || !stillThere(bw.Process.Pid) || !stillThere(rping.Process.Pid) || run(t, "rdma", "res", "show") != before {
		t.Error("something has changed")
	}
	if r := ibctl(t, "", "dev", "remove", "rxe0", "--evict", "term"); r.code != 0 || r.stdout != "" {
		t.Fatalf("with --evict: %+v", r)
	}
	if hasDevice(t, "rxe0") || stillThere(bw.Process.Pid) || stillThere(rping.Process.Pid) {
		t.Error("the device or a holder is there")
	}
	if left := processes("ibctl"); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// takedownStep is an item of a Takedown document, as far as the tests look.
type takedownStep struct {
	Device, Action, Operation string
	Done                      bool
	Holder                    holder
}

// TestCutOffIsAccepted where it is asked for, and the kernel does not wait.
func TestCutOffIsAccepted(t *testing.T) {
	oneHCA().Up(t)
	umad, _ := shellHolding(t, `exec 8<>/dev/infiniband/umad0; echo 1; while :; do sleep 1; done`)
	if r := ibctl(t, "", "dev", "remove", "rxe0"); r.code != 75 || !strings.Contains(r.stderr, "would be cut off") {
		t.Errorf("a user of umad: %+v", r)
	}
	if r := ibctl(t, "", "dev", "remove", "rxe0", "--cut-off"); r.code != 0 || hasDevice(t, "rxe0") {
		t.Errorf("with --cut-off: %+v", r)
	}
	if !stillThere(umad.Process.Pid) {
		t.Error("the user of umad is gone")
	}
}

// TestStuckOperation: an operation that the kernel does not finish is left alone,
// and says where it is; it goes on when it can.
func TestStuckOperation(t *testing.T) {
	if !waits() {
		t.Skip("this kernel waits for no user of rxe")
	}
	oneHCA().Up(t)
	f, err := os.OpenFile("/dev/infiniband/uverbs0", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var said []string
	o := takedown.Operation{Kind: takedown.DeleteLink, Device: "rxe0", Index: firstIndex(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = o.Perform(ctx, patience, func(s string) {
		if said = append(said, s); strings.Contains(s, "ib_uverbs_remove_one") {
			cancel() // it is where it stays
		}
	})
	stuck, ok := errors.AsType[*takedown.StuckError](err)
	if !ok || !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "ib_uverbs_remove_one") {
		t.Fatalf("Perform: %v", err)
	}
	t.Logf("%v", err)
	if len(said) == 0 || !strings.Contains(said[0], "waiting for the kernel") {
		t.Errorf("progress: %q", said)
	}
	f.Close()
	waitFor(t, "the kernel to go on", func() bool { return !stillThere(stuck.PID) })
	if hasDevice(t, "rxe0") {
		t.Error("the device is there")
	}
}

// TestOperationRefused: the kernel's own words arrive, and its errno.
func TestOperationRefused(t *testing.T) {
	oneHCA().Up(t)
	run(t, "ip", "link", "add", "eth9", "type", "dummy")
	t.Cleanup(func() { run(t, "ip", "link", "del", "eth9") })
	for _, tt := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"dev", "add", "rxe0", "--type", "rxe", "--netdev", "eth9"}, 1, "file exists"},
		{[]string{"dev", "add", "rxe9", "--type", "rxe", "--netdev", "nope"}, 66, "not found"},
		{[]string{"dev", "add", "siw9", "--type", "siw", "--netdev", "eth9"}, 1, "no type"}, // none of the lab's kernels has it
		{[]string{"dev", "bind", "0000:ff:1f.7"}, 66, "no such PCI function"},
		{[]string{"dev", "bind", "../../x"}, 64, "no PCI address"},
		{[]string{"dev", "netns", "rxe0", "nowhere"}, 66, "not found"},
		{[]string{"dev", "netns", "rxe0", "/etc/passwd"}, 64, "no network namespace"},
		{[]string{"dev", "netns", "rxe0", "1"}, 69, "shared by all network namespaces"},
		{[]string{"dev", "remove", "rxe8"}, 66, "not found"},
		{[]string{"dev", "remove", "rxe0/1"}, 64, "not a port"},
	} {
		if r := ibctl(t, "", tt.args...); r.code != tt.code || !strings.Contains(r.stderr, tt.text) {
			t.Errorf("%q: %+v; want code %d and %q", tt.args, r, tt.code, tt.text)
		}
	}
	if r := as(t, 1000, 1000, "dev", "remove", "rxe0"); r.code != 77 || !strings.Contains(r.stderr, "takes root") {
		t.Errorf("unprivileged: %+v", r)
	}
	if !hasDevice(t, "rxe0") {
		t.Error("rxe0 is gone")
	}
}

// TestAddRenameRemove without ibctl serve.
func TestAddRenameRemove(t *testing.T) {
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}}}}.Up(t)
	for _, step := range []struct {
		args  []string
		there []string
	}{
		{[]string{"dev", "add", "rxe0", "--type", "rxe", "--netdev", "eth0"}, []string{"rxe0"}},
		{[]string{"dev", "rename", "rxe0", "storage0"}, []string{"storage0"}},
		{[]string{"dev", "drain", "storage0"}, []string{"storage0"}},
		{[]string{"dev", "remove", "eth0"}, nil}, // by the name of its netdev
	} {
		if r := ibctl(t, "", step.args...); r.code != 0 || r.stdout != "" || complains(r) {
			t.Fatalf("%q: %+v", step.args, r)
		}
		var got []string
		for _, name := range kernelDevices(t) {
			got = append(got, name)
		}
		if fmt.Sprint(got) != fmt.Sprint(step.there) {
			t.Fatalf("after %q there are %v, want %v", step.args, got, step.there)
		}
	}
}
