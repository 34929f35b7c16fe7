package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
	"github.com/ibctl/ibctl/internal/lab/vm"
)

// envHelper makes this test binary, in a guest, a program that misbehaves.
const envHelper = "IBCTL_LAB_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(envHelper) != "" {
		removeDeviceInUse()
	}
	os.Exit(m.Run())
}

// removeDeviceInUse does what an operator must not: it removes a device that it holds open itself, and so waits in the kernel for
// itself, where no signal reaches it.
func removeDeviceInUse() {
	tp := lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}
	if _, err := tp.Build(); err != nil {
		panic(err)
	}
	device, err := os.Open("/dev/infiniband/uverbs0")
	if err != nil {
		panic(err)
	}
	fmt.Println("removing rxe0")
	err = netlink.RdmaLinkDel("rxe0")
	fmt.Println("unexpected end:", err, device.Close())
	os.Exit(0)
}

// boot runs a command on one kernel, or skips the test where the user has switched the lab off.
func boot(t *testing.T, conf lab.Config) (out string, r vm.Result, err error) {
	t.Helper()
	if lab.Off() {
		t.Skipf("%s=off", lab.EnvLab)
	}
	var buf bytes.Buffer
	conf.Kernel, conf.Log = depot.Linux6_12, os.Stderr
	conf.Stdout, conf.Stderr = &buf, &buf
	ctx := t.Context()
	if end, ok := t.Deadline(); ok { // others may have their VMs first: say so rather than be killed waiting
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-30*time.Second))
		defer cancel()
	}
	r, err = lab.Run(ctx, conf)
	return buf.String(), r, err
}

func TestOutputAndStatus(t *testing.T) {
	const size = 1 << 20
	script := fmt.Sprintf(`head -c %d /dev/zero; echo; echo "on stderr" >&2; echo "$PWD $GREETING $IBCTL_LAB_GUEST"; exit 42`, size)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out, r, err := boot(t, lab.Config{Command: []string{"sh", "-c", script}, Env: []string{"GREETING=hello"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 42 {
		t.Errorf("status %d, want 42", r.Status)
	}
	if n := strings.Count(out, "\x00"); n != size {
		t.Errorf("%d of %d bytes have come", n, size)
	}
	text := strings.TrimLeft(out, "\x00")
	for _, want := range []string{"on stderr\n", wd + " hello 6.12\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %q", want, text)
		}
	}
	if !strings.HasPrefix(r.Release, "6.12.") {
		t.Errorf("kernel release %q", r.Release)
	}
	if !bytes.Contains(r.Console, []byte("Linux version 6.12.")) {
		t.Errorf("the console has no kernel log:\n%s", r.Console)
	}
}

func TestHungGuestSaysWhere(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := boot(t, lab.Config{Command: []string{self}, Env: []string{envHelper + "=1"}, Silence: 20 * time.Second})
	if !errors.Is(err, vm.ErrSilence) {
		t.Fatalf("error %v, want ErrSilence; output:\n%s", err, out)
	}
	var stopped *vm.Stopped
	if !errors.As(err, &stopped) {
		t.Fatalf("error of type %T", err)
	}
	wanted := []struct{ what, text, word string }{
		{"output before the hang", out, "removing rxe0\n"},
		{"goroutine stacks", out, "removeDeviceInUse"},
		{"process table", out, "waiting in"},
		{"stack of the blocked task", string(stopped.Console), "ib_uverbs_remove_one"},
		{"panic after the NMI", string(stopped.Console), "Kernel panic"},
		{"console in the error", err.Error(), "Kernel panic"},
	}
	for _, w := range wanted {
		if !strings.Contains(w.text, w.word) {
			t.Errorf("%s: no %q", w.what, w.word)
		}
	}
	if t.Failed() {
		t.Logf("output:\n%s\nerror: %v\nconsole:\n%s", out, err, stopped.Console)
	}
}

func TestPanickingGuest(t *testing.T) {
	out, _, err := boot(t, lab.Config{Command: []string{"sh", "-c", "echo before; sleep 1; echo c > /proc/sysrq-trigger; echo after"}})
	if !errors.Is(err, vm.ErrDied) {
		t.Fatalf("error %v, want ErrDied; output:\n%s", err, out)
	}
	if out != "before\n" {
		t.Errorf("output %q", out)
	}
	if !strings.Contains(err.Error(), "Kernel panic - not syncing") {
		t.Errorf("the error does not say that the kernel panicked: %v", err)
	}
}
