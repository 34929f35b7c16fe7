package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/soak"
)

// records are the files that say which devices are drained.
func records() []string {
	list, _ := filepath.Glob("/run/ibctl/drained/[0-9]*")
	return list
}

// TestDrainAdverse: what others do to the device, to ibctl serve or to its files while a device is being drained, or is drained.
// It takes a while; TestDrainInterrupted has the most important part in the short form.
func TestDrainAdverse(t *testing.T) {
	if !soak.On() {
		t.Skip("takes a minute: make soak")
	}
	b := newDrainBed(t)

	// A rename: the device is drained, whatever it is called.
	cmd := b.drain()
	run(t, "rdma", "dev", "set", "rxe0", "name", "rxe5")
	b.release()
	b.ends("renamed", cmd, 0)
	must(t, 75, "rxe5 is drained", "gid", "show", "rxe5")
	run(t, "rdma", "dev", "set", "rxe5", "name", "rxe0")

	// SIGKILL: what is drained stays so.
	b.kill()
	b.serving = launch(t, b.config)
	if on := b.onDevice(t, "rxe0"); len(on) > 0 || len(records()) != 1 {
		t.Errorf("killed, and started anew: %q are on it; records %q", on, records())
	}
	must(t, 0, "", "dev", "undrain", "rxe0")
	b.becomesSame(t, "undrain")

	// SIGKILL in the midst of it: it is not drained, and nothing says so.
	cmd = b.drain()
	b.kill()
	b.ends("without ibctl serve", cmd, 69)
	b.release()
	if left := records(); len(left) > 0 {
		t.Errorf("a drain that was none: records %q", left)
	}
	b.start()

	// SIGSTOP: who waits is told, can go, and the clients are back when it goes on.
	said := b.drainStopped()
	if !strings.Contains(said, "waiting for ibctl serve, which has said nothing") {
		t.Errorf("while ibctl serve is stopped, ibctl says\n%s", said)
	}
	b.release()
	b.becomesSame(t, "SIGSTOP")

	// Its files: there is one ibctl serve all the same, and it knows what is drained.
	must(t, 0, "", "dev", "drain", "rxe0")
	if err := os.RemoveAll("/run/ibctl"); err != nil {
		t.Fatal(err)
	}
	must(t, 75, "another ibctl serve is running: process ", "serve")
	waitFor(t, "ibctl serve to answer again", func() bool {
		_, err := os.Lstat(api.Socket)
		return err == nil
	})
	must(t, 75, "rxe0 is drained", "gid", "show", "rxe0")
	must(t, 0, "", "dev", "undrain", "rxe0")
	b.becomesSame(t, "all that")
}

// kill ends ibctl serve without any order.
func (b *drainBed) kill() {
	b.t.Helper()
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait() // killed
	_ = b.Close()
}

// drainStopped drains rxe0 until ibctl serve, which is stopped meanwhile, is said to say nothing, and is then interrupted. It returns
// what ibctl said.
func (b *drainBed) drainStopped() string {
	b.t.Helper()
	if err := os.WriteFile(b.hold, nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(b.t.TempDir(), "said"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command("ibctl", "dev", "drain", "rxe0")
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	says := func(words string) func() bool {
		return func() bool {
			text, err := os.ReadFile(said.Name())
			return err == nil && bytes.Contains(text, []byte(words))
		}
	}
	waitFor(b.t, "ibctl to wait for the client", says("waiting for client hold"))
	_ = b.cmd.Process.Signal(syscall.SIGSTOP)
	waitFor(b.t, "ibctl to wait for ibctl serve", says("said nothing"))
	_ = cmd.Process.Signal(syscall.SIGINT)
	b.ends("interrupted while ibctl serve is stopped", cmd, 130)
	_ = b.cmd.Process.Signal(syscall.SIGCONT)
	text, _ := os.ReadFile(said.Name())
	return string(text)
}

// TestRemoveTwice: of two who remove a device at once one does, with ibctl serve and without; a drained one can be removed, and what comes
// after it is another device.
func TestRemoveTwice(t *testing.T) {
	oneHCA().Up(t)
	again := func() { run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0") }
	both := func(what string) {
		t.Helper()
		first, second := exec.Command("ibctl", "dev", "remove", "rxe0"), exec.Command("ibctl", "dev", "remove", "rxe0")
		if err := errors.Join(first.Start(), second.Start()); err != nil {
			t.Fatal(err)
		}
		_, _ = first.Wait(), second.Wait()
		codes := []int{first.ProcessState.ExitCode(), second.ProcessState.ExitCode()}
		// The other finds it busy, or gone.
		if slices.Sort(codes); codes[0] != 0 || codes[1] != 75 && codes[1] != 66 {
			t.Errorf("%s: exit codes %v", what, codes)
		}
	}
	drained := func(what string) {
		t.Helper()
		must(t, 0, "", "dev", "drain", "rxe0")
		must(t, 0, "", "dev", "remove", "rxe0")
		if left := records(); len(left) > 0 {
			t.Errorf("%s: records are left: %q", what, left)
		}
		again()
		must(t, 0, "", "dev", "undrain", "rxe0")
		must(t, 0, "", "gid", "show", "rxe0")
	}
	drained("alone")
	if !soak.On() {
		return
	}
	both("alone")
	again()
	s := serve(t, "clients: [roce]\n")
	both("with ibctl serve")
	again()
	drained("with ibctl serve")
	s.becomesSame(t, "all that")
}
