package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// TestMoveToNetns, in the exclusive mode: rxe can be moved since a 7.x. What the
// kernel forgets is set again; where it refuses, the device is in service as
// before.
func TestMoveToNetns(t *testing.T) {
	oneHCA().Up(t)
	set := func(mode string) { // the kernel refuses while a namespace is there, and one lives on for a moment
		waitFor(t, "netns mode "+mode, func() bool { return exec.Command("rdma", "system", "set", "netns", mode).Run() == nil })
	}
	set("exclusive")
	t.Cleanup(func() { set("shared") })
	s := serve(t, "clients: [roce, cm]\n")
	s.becomesSame(t, "the start")
	must(t, 0, "", "cm", "tos", "rxe0", "106")
	run(t, "ip", "netns", "add", "blue")
	deleted := false
	back := func() {
		if !deleted {
			deleted = true
			run(t, "ip", "netns", "del", "blue")
			waitFor(t, "rxe0 to come back", func() bool { return hasDevice(t, "rxe0") })
		}
	}
	t.Cleanup(back)
	r := ibctl(t, "", "dev", "netns", "rxe0", "blue", "-o", "json")
	if waits() {
		if r.code != 69 || !strings.Contains(r.stderr, "not supported") || !hasDevice(t, "rxe0") {
			t.Errorf("this kernel cannot move rxe: %+v", r)
		}
		s.becomesSame(t, "the kernel has refused")
		return
	}
	if r.code != 0 || hasDevice(t, "rxe0") || !strings.Contains(r.stdout, "TOS of port 1: 106") {
		t.Fatalf("dev netns: %+v", r)
	}
	// The connection manager finds it by its name, wherever it is.
	if tos := throughConfigfs(t, "rxe0", "default_roce_tos", ""); tos != "106" {
		t.Errorf("TOS %q after the move, want 106", tos)
	}
	s.becomesSame(t, "the device is gone")
	back()
	s.becomesSame(t, "the device is back")
}
