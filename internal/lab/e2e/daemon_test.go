package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/lab"
)

// TestDaemonAnswersAlike: with ibctl serve and without, each verb prints the same,
// wherever it is run.
func TestDaemonAnswersAlike(t *testing.T) {
	onOneKernel(t)
	lab.Demo().Up(t)
	serve(t, "")
	for _, args := range [][]string{
		{"dev", "list"}, {"dev", "show", "-j"}, {"dev", "show", "eth0.100", "-j"}, {"gid", "show"}, {"gid", "show", "-j"},
		{"gid", "show", "rxe0/1/0", "-o", "name"}, {"dev", "show", "rxe9"}, {"gid", "show", "rxe0/9"}, {"cm", "list", "-j"},
		{"cm", "tos", "rxe0"}, {"cm", "mode"},
	} {
		for _, netns := range []string{"", "blue"} {
			there, here := ibctl(t, netns, args...), ibctl(t, netns, append(args, "--socket", "none")...)
			if there != here {
				t.Errorf("in %q, %q:\nwith ibctl serve  %+v\nwithout           %+v", netns, args, there, here)
			}
		}
	}
	// In another network namespace others are seen, so it is not asked.
	if r := ibctl(t, "blue", "dev", "list", "--socket", api.Socket); r.code != 69 || !strings.Contains(r.stderr, "another network namespace") {
		t.Errorf("asked from another namespace: %+v", r)
	}
}

// as runs ibctl for a user.
func as(t testing.TB, uid, gid uint32, args ...string) cliResult {
	t.Helper()
	cmd := exec.Command("ibctl", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	return runCLI(t, cmd)
}

// TestDaemonUnprivileged: members of the group read through the socket, and
// nobody but root changes anything.
func TestDaemonUnprivileged(t *testing.T) {
	oneHCA().Up(t)
	s := serve(t, "group: 2000\n")
	for _, tt := range []struct {
		uid, gid uint32
		code     int
		args     []string
	}{
		{1000, 2000, 0, []string{"dev", "list"}},
		{1000, 2000, 0, []string{"dev", "show"}},
		{1000, 2000, 0, []string{"gid", "show"}},
		{1000, 2000, 0, []string{"client", "list"}},
		{1000, 2000, 0, []string{"cm", "list"}},
		{1000, 2000, 0, []string{"cm", "stat"}},
		{1000, 2000, 0, []string{"cm", "tos"}},
		{1000, 2000, 0, []string{"events", "--since-boot", "--no-follow"}},
		{1000, 2000, 77, []string{"client", "unload", "roce"}},
		{1000, 2000, 77, []string{"client", "load", "acme"}},
		{1000, 2000, 77, []string{"cm", "tos", "rxe0", "8"}},
		{1000, 3000, 77, []string{"dev", "list"}},
		{1000, 3000, 77, []string{"client", "unload", "roce"}},
		{0, 0, 0, []string{"cm", "tos", "rxe0", "8"}},
	} {
		// The socket is named: there is no doing without.
		r := as(t, tt.uid, tt.gid, append(tt.args, "--socket", api.Socket)...)
		if r.code != tt.code {
			t.Errorf("user %d of group %d, %q: exit code %d, want %d\n%s%s", tt.uid, tt.gid, tt.args, r.code, tt.code, r.stdout, r.stderr)
		}
	}
	// Others do without, as far as that goes.
	if r := as(t, 1000, 3000, "gid", "show"); r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "rxe0") {
		t.Errorf("a stranger lists: %+v", r)
	}
	if r := as(t, 1000, 3000, "client", "unload", "roce"); r.code != 77 {
		t.Errorf("a stranger changes: %+v", r)
	}
	if c := s.clients(t)["roce"]; c.GetPid() == 0 || c.GetRestarts() != 0 {
		t.Errorf("the client is not what it was: %v", c)
	}
}

// TestDaemonCrash: what SIGKILL leaves is gone after the next start, which need
// not wait.
func TestDaemonCrash(t *testing.T) {
	oneHCA().Up(t)
	s := launch(t, "")
	plugins := s.clients(t)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // killed
	_ = s.Close()
	again := serve(t, "")
	for name, c := range plugins {
		if stillThere(int(c.GetPid())) {
			t.Errorf("client %s: process %d is left", name, c.GetPid())
		}
	}
	if entries, err := os.ReadDir("/run/ibctl/serve/plugins"); err != nil || len(entries) != 1 {
		t.Errorf("in the run directory: %v, %v", entries, err)
	}
	again.becomesSame(t, "a crash")
}

// TestDaemonHoldsBackNothing: a plugin that is stopped is killed at its deadline,
// and the device is unregistered after that, and only then.
func TestDaemonHoldsBackNothing(t *testing.T) {
	oneHCA().Up(t)
	s := serve(t, "clients: [roce, cm]\nlimits: {remove: 2s}\n")
	h := s.follow(t)
	pid := int(s.clients(t)["roce"].GetPid())
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	run(t, "rdma", "link", "del", "rxe0")
	gone := h.wait(t, "rxe0 to be unregistered", func(e *apiv1.Event) bool { return e.GetKind() == "device-unregistered" })
	removed := h.wait(t, "roce to be removed", func(e *apiv1.Event) bool {
		return e.GetKind() == "client-removed" && e.GetClient() == "roce"
	})
	if removed.GetError() == "" || removed.GetSeq() > gone.GetSeq() || removed.GetTookMs() < 2000 {
		t.Errorf("removed: %v; gone: %v", removed, gone)
	}
	if stillThere(pid) {
		t.Errorf("process %d is there", pid)
	}
}

// TestDaemonTellsOfPorts: what happens to a port and its netdev is an event, with ibctl serve and without.
func TestDaemonTellsOfPorts(t *testing.T) {
	oneHCA().Up(t)
	serve(t, "")
	there := startProgram(t, "ibctl", "events", "--since-boot", "-o", "jsonl")
	here := startProgram(t, "ibctl", "events", "--socket", "none", "-o", "jsonl")
	for _, b := range []*background{there, here} {
		b.told(t, "device-registered", "")
	}
	for _, step := range []struct{ command, difference string }{
		{"ip link set eth0 down", "port 1 state: ACTIVE → DOWN"},
		{"ip link set eth0 name lan0", "port 1 netdev: eth0 → lan0"},
		{"ip link set lan0 up", "port 1 state: DOWN → ACTIVE"},
	} {
		run(t, "sh", "-ec", step.command)
		for _, b := range []*background{there, here} {
			b.told(t, "device-changed", step.difference)
		}
	}
}

// told waits for an event of ibctl events -o jsonl, with a difference unless that is empty.
func (b *background) told(t *testing.T, kind, difference string) {
	t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case line := <-b.lines:
			var e journal.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				continue // a hint that there is no daemon
			}
			fits := func(d journal.Difference) bool { return d.String() == difference }
			if e.Kind == kind && (difference == "" || slices.ContainsFunc(e.Differences, fits)) {
				return
			}
		case <-timeout:
			t.Fatalf("%s: no %s %s", b.cmd, kind, difference)
		}
	}
}

// TestDaemonRenamedAtOnce: a device gets another name just when the clients are added to it, as from udev, and they are all on it.
func TestDaemonRenamedAtOnce(t *testing.T) {
	oneHCA().Up(t)
	s := serve(t, "cm: {defaults: [{device: hca0, tos: 32}]}\n")
	h := s.follow(t)
	run(t, "rdma", "link", "del", "rxe0")
	for range 10 {
		run(t, "sh", "-ec", "rdma link add rxe0 type rxe netdev eth0; rdma dev set rxe0 name hca0")
		s.becomesSame(t, "a rename at once")
		waitFor(t, "the default of the new name", func() bool { return defaultTOS("hca0") == "32" })
		run(t, "rdma", "link", "del", "hca0")
	}
	for _, e := range h.all() {
		if e.GetError() != "" {
			t.Errorf("%v", e)
		}
	}
}

// becomesSame waits until the daemon has on its list what the kernel has, with
// every loaded client on every device.
func (s *serving) becomesSame(t testing.TB, after string) {
	t.Helper()
	want, got := map[uint32]string{}, map[uint32]string{}
	var trouble error
	same := func() bool {
		want, got, trouble = kernelDevices(t), map[uint32]string{}, nil
		list, err := s.ListDevices(t.Context(), &apiv1.ListDevicesRequest{})
		if err != nil {
			trouble = err
			return false
		}
		for _, d := range list.GetDevices() {
			if d.GetId() != nil {
				got[d.GetId().GetIndex()] = d.GetDevice().GetName()
			}
		}
		for name, c := range s.clients(t) {
			attached := map[uint32]string{}
			for _, a := range c.GetDevices() {
				if a.GetState() == "attached" {
					attached[a.GetId().GetIndex()] = a.GetDevice()
				}
			}
			if !maps.Equal(attached, want) {
				trouble = errors.Join(trouble, errors.New(name+" is "+c.GetState()+" and not on all of them: "+c.String()))
			}
		}
		return maps.Equal(got, want) && trouble == nil
	}
	for deadline := time.Now().Add(2 * time.Minute); !same(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s: registered are %v, the kernel has %v; %v", after, got, want, trouble)
		}
	}
}
