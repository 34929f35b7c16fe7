package supervisor

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestChildren: what becomes of a process that the plugin started, when the
// plugin is stopped in order and when it is killed, is what the guarantee says.
func TestChildren(t *testing.T) {
	available := availableLevels(t)
	for _, g := range []Guarantee{GuaranteePIDNamespace, GuaranteeCgroup, GuaranteeProcessGroup} {
		if !slices.Contains(available, g) {
			continue // logged by availableLevels
		}
		for _, child := range []string{"parent", "parent-stdout", "parent-setsid"} {
			for _, end := range []string{"stop", "kill"} {
				t.Run(g.String()+"/"+child+"/"+end, func(t *testing.T) { testChild(t, g, child, end) })
			}
		}
	}
}

func testChild(t *testing.T, g Guarantee, child, end string) {
	b := newBench(t, Config{Levels: []Guarantee{g}})
	p := b.start(b.external(child))
	if p.Guarantee() != g {
		t.Fatalf("guarantee %v", p.Guarantee())
	}
	dev := device(1, 1)
	if _, err := p.Add(t.Context(), dev); err != nil {
		t.Fatal(err)
	}
	eventually(t, "child", func() bool { return len(marked(b.mark)) == 2 })
	within(t, end, func() {
		if end == "kill" {
			if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			if err := p.Remove(t.Context(), dev, nil); err == nil {
				t.Error("remove of a killed plugin is fine")
			}
		}
		_ = p.Stop(t.Context())
	})
	left := marked(b.mark)
	escapes := g == GuaranteeProcessGroup && child == "parent-setsid"
	if escapes != (len(left) > 0) {
		t.Errorf("left: %v, escapes: %v", left, escapes)
	}
	if escapes && !strings.Contains(g.Lost(), "setsid") {
		t.Errorf("%v does not say what it lost: %q", g, g.Lost())
	}
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// TestChildless: a client of ours can be kept from having children at all.
func TestChildless(t *testing.T) {
	b := newBench(t, Config{Levels: []Guarantee{GuaranteeChildless}})
	p := b.start(b.builtin("parent"))
	if p.Guarantee() != GuaranteeChildless {
		t.Fatalf("guarantee %v", p.Guarantee())
	}
	_, err := p.Add(t.Context(), device(1, 1))
	if err == nil || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("error %v", err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestChildlessIsOurWord: a third party's claim is not believed.
func TestChildlessIsOurWord(t *testing.T) {
	b := newBench(t, Config{Levels: []Guarantee{GuaranteeChildless, GuaranteeProcessGroup}})
	p := b.start(b.external("good"))
	if p.Guarantee() != GuaranteeProcessGroup {
		t.Errorf("guarantee %v", p.Guarantee())
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestHostPIDs(t *testing.T) {
	b := newBench(t, Config{})
	spec := b.builtin("good")
	spec.HostPIDs = true
	p := b.start(spec)
	if p.Guarantee() == GuaranteePIDNamespace {
		t.Errorf("guarantee %v", p.Guarantee())
	}
	ours, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.Readlink("/proc/" + p.runner.ID() + "/ns/pid")
	if err != nil || ours != theirs {
		t.Errorf("PID namespace %s, ours is %s (%v)", theirs, ours, err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestParseStat(t *testing.T) {
	tests := []struct {
		text  string
		state byte
		pgrp  int
		ok    bool
	}{
		{"12 (cat) R 1 34 5 0", 'R', 34, true},
		{"12 (a) Z 9 (b) S 1 35 5 0", 'S', 35, true},
		{"12 () ) Z 1 36", 'Z', 36, true},
		{"", 0, 0, false},
		{"12 (cat) R 1", 0, 0, false},
		{"12 (cat) R 1 x 5", 'R', 0, false},
	}
	for _, tt := range tests {
		state, pgrp, ok := parseStat([]byte(tt.text))
		if state != tt.state || pgrp != tt.pgrp || ok != tt.ok {
			t.Errorf("%q: %c %d %v", tt.text, state, pgrp, ok)
		}
	}
}
