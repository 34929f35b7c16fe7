package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onDevice lists the clients that are on a device.
func (s *serving) onDevice(t testing.TB, device string) (names []string) {
	t.Helper()
	for name, c := range s.clients(t) {
		for _, a := range c.GetDevices() {
			if a.GetState() == "attached" && a.GetDevice() == device {
				names = append(names, name)
			}
		}
	}
	return names
}

// must runs ibctl, which must end with a code, and say something on standard error
// if that is wanted, or else nothing but whom it waits for: that depends on how busy
// the host is.
func must(t *testing.T, code int, stderr string, args ...string) {
	t.Helper()
	if r := ibctl(t, "", args...); r.code != code || !strings.Contains(r.stderr, stderr) || stderr == "" && complains(r) {
		t.Fatalf("ibctl %q: exit code %d, want %d and %q\n%s%s", args, r.code, code, stderr, r.stdout, r.stderr)
	}
}

// complains tells whether there is more than progress on standard error.
func complains(r cliResult) bool {
	for line := range strings.Lines(r.stderr) {
		if !strings.Contains(line, ": waiting for ") {
			return true
		}
	}
	return false
}

// TestDrainLasts over restarts of ibctl serve and a rename, with ibctl serve and
// without, and ends with the device.
func TestDrainLasts(t *testing.T) {
	onOldestAndNewest(t)
	oneHCA().Up(t)
	s := launch(t, "")
	t.Cleanup(func() { s.cmd.Process.Kill() }) //nolint:errcheck // it has ended
	s.becomesSame(t, "the start")
	must(t, 0, "", "dev", "drain", "rxe0")
	must(t, 0, "", "dev", "drain", "rxe0") // it is checked again
	if on := s.onDevice(t, "rxe0"); len(on) > 0 {
		t.Errorf("drained, and %q are on it", on)
	}
	must(t, 75, "ibctl dev undrain rxe0 puts it back", "gid", "show", "rxe0")
	must(t, 0, "warning: rxe0: read GIDs: rxe0 is drained", "gid", "show")
	bw := startGroup(t, "ib_write_bw", "-d", "rxe0", "-x", "1")
	waitFor(t, "ib_write_bw to open the device", func() bool { return hasOpen(bw.Process.Pid, "uverbs0") })
	must(t, 75, "ib_write_bw (pid ", "dev", "drain", "rxe0")
	must(t, 0, "", "dev", "drain", "rxe0", "--evict", "term")
	_ = s.cmd.Process.Kill() // the next start cleans up
	_ = s.cmd.Wait()
	_ = s.Close()

	must(t, 75, "ibctl dev undrain rxe0 puts it back", "gid", "show", "rxe0")
	must(t, 0, "", "dev", "rename", "rxe0", "rxe7")
	s = launch(t, "")
	if on := s.onDevice(t, "rxe7"); len(on) > 0 {
		t.Errorf("drained before the restart, and %q are on it", on)
	}
	must(t, 0, "", "dev", "undrain", "rxe7")
	must(t, 0, "", "dev", "undrain", "rxe7")
	if on := s.onDevice(t, "rxe7"); len(on) != 2 {
		t.Errorf("undrained, and %q are on it", on)
	}
	must(t, 0, "", "dev", "drain", "rxe7")
	run(t, "rdma", "link", "del", "rxe7")
	run(t, "rdma", "link", "add", "rxe7", "type", "rxe", "netdev", "eth0")
	s.becomesSame(t, "the drained device was made anew")
	s.stop(t)
	if entries, err := os.ReadDir("/run/ibctl/drained"); err != nil || len(entries) > 1 {
		t.Errorf("entries are left: %v, %v", entries, err)
	}

	must(t, 0, "", "dev", "drain", "rxe7")
	must(t, 75, "rxe7 is drained", "gid", "show", "rxe7")
	must(t, 0, "", "dev", "undrain", "rxe7")
	must(t, 0, "", "gid", "show", "rxe7")
}

// drainBed is ibctl serve with a client whose Remove takes as long as the test
// wants.
type drainBed struct {
	*serving
	t            *testing.T
	config, hold string
}

func newDrainBed(t *testing.T) *drainBed {
	t.Helper()
	oneHCA().Up(t)
	hold := filepath.Join(t.TempDir(), "hold")
	config := "limits: {remove: 2m}\nclients:\n  - {name: hold, path: " + stubborn(t) + ", args: [hold], config: {remove: " + hold + "}}\n  - roce\n"
	b := &drainBed{t: t, hold: hold, config: config}
	b.start()
	t.Cleanup(func() {
		b.release()
		b.stop(t)
	})
	return b
}

func (b *drainBed) start() {
	b.t.Helper()
	b.serving = launch(b.t, b.config)
	b.becomesSame(b.t, "the start")
}

// drain starts to drain rxe0, and returns when it waits for the client.
func (b *drainBed) drain() *exec.Cmd {
	b.t.Helper()
	if err := os.WriteFile(b.hold, nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("ibctl", "dev", "drain", "rxe0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill() }) //nolint:errcheck // it has ended
	waitFor(b.t, "Remove of hold to begin", func() bool {
		for _, a := range b.clients(b.t)["hold"].GetDevices() {
			if a.GetState() == "removing" {
				return true
			}
		}
		return false
	})
	return cmd
}

// release lets Remove return.
func (b *drainBed) release() { _ = os.Remove(b.hold) }

// ends waits for a command, which must end with a code.
func (b *drainBed) ends(what string, cmd *exec.Cmd, code int) {
	b.t.Helper()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		b.t.Errorf("%s: exit code %d, want %d", what, got, code)
	}
}

// TestDrainInterrupted: whatever breaks a drain off, the clients come back.
func TestDrainInterrupted(t *testing.T) {
	onOneKernel(t)
	b := newDrainBed(t)

	cmd := b.drain()
	for _, verb := range []string{"drain", "undrain", "remove"} {
		must(t, 75, "another ibctl is at work on it", "dev", verb, "rxe0")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	b.release()
	b.ends("interrupted", cmd, 130)
	b.becomesSame(t, "an interruption")

	cmd = b.drain()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.ends("killed", cmd, -1)
	b.release()
	b.becomesSame(t, "SIGKILL")

	cmd = b.drain()
	run(t, "rdma", "link", "del", "rxe0")
	b.release()
	b.ends("vanished", cmd, 66)
	run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
	b.becomesSame(t, "the device vanished")

	if err := os.WriteFile(b.hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, 75, "--timeout 2s has passed", "dev", "drain", "rxe0", "--timeout", "2s")
	b.release()
	b.becomesSame(t, "a timeout")

	cmd = b.drain()
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Wait() // killed
	b.ends("without ibctl serve", cmd, 69)
	_ = b.Close()
	b.release()
	b.start() // in service

	// A holder that comes while clients let go is named.
	cmd = b.drain()
	bw := startGroup(t, "ib_write_bw", "-d", "rxe0", "-x", "1")
	waitFor(t, "ib_write_bw to open the device", func() bool { return hasOpen(bw.Process.Pid, "uverbs0") })
	b.release()
	b.ends("with a newcomer", cmd, 75)
	b.becomesSame(t, "a newcomer")
	if r := as(t, 1000, 1000, "dev", "drain", "rxe0"); r.code != 77 {
		t.Errorf("unprivileged: %+v", r)
	}
}
