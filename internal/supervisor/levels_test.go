package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/plugin"
)

// capable tells whether we have a capability (capabilities(7)).
func capable(t testing.TB, capability int) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return set&(1<<capability) != 0
		}
	}
	t.Fatal("no CapEff in /proc/self/status")
	return false
}

// TestAvailableLevels: a guarantee that ought to be there is, so that no test of it
// is left out unseen.
func TestAvailableLevels(t *testing.T) {
	available := availableLevels(t)
	want := map[Guarantee]bool{
		GuaranteePIDNamespace: capable(t, unix.CAP_SYS_ADMIN),
		GuaranteeChildless:    plugin.CanBeChildless,
		GuaranteeCgroup:       canHaveCgroup(),
		GuaranteeProcessGroup: true,
	}
	for g, want := range want {
		if got := slices.Contains(available, g); got != want {
			t.Errorf("%v is available: %v, want %v", g, got, want)
		}
	}
}

// canHaveCgroup tries to make a control group below our own.
func canHaveCgroup() bool {
	own, err := ownCgroup()
	if err != nil {
		return false
	}
	probe, err := os.MkdirTemp(own, "ibctl-probe")
	if err != nil {
		return false
	}
	defer os.Remove(probe)
	_, err = os.Stat(filepath.Join(probe, "cgroup.kill"))
	return err == nil
}

// TestChosenLevel: without being told, the supervisor takes the best.
func TestChosenLevel(t *testing.T) {
	available := availableLevels(t)
	best := func(candidates ...Guarantee) Guarantee {
		for _, g := range candidates {
			if slices.Contains(available, g) {
				return g
			}
		}
		return GuaranteeUnknown
	}
	const ns, childless, cgroup, group = GuaranteePIDNamespace, GuaranteeChildless, GuaranteeCgroup, GuaranteeProcessGroup
	tests := []struct {
		external, hostPIDs bool
		want               Guarantee
	}{
		{false, false, best(ns, childless, cgroup, group)},
		{false, true, best(childless, cgroup, group)},
		{true, false, best(ns, cgroup, group)},
		{true, true, best(cgroup, group)},
	}
	for _, tt := range tests {
		b := newBench(t, Config{})
		spec := b.builtin("good")
		if tt.external {
			spec = b.external("good")
		}
		spec.HostPIDs = tt.hostPIDs
		p := b.start(spec)
		if p.Guarantee() != tt.want {
			t.Errorf("external %v, host pids %v: %v, want %v", tt.external, tt.hostPIDs, p.Guarantee(), tt.want)
		}
		if full := p.Guarantee() == ns || p.Guarantee() == childless; full != (p.Guarantee().Lost() == "") {
			t.Errorf("%v says that it lost %q", p.Guarantee(), p.Guarantee().Lost())
		}
		if err := b.stop(p); err != nil {
			t.Error(err)
		}
	}
}

// envDropped marks the run of these tests without privileges.
const envDropped = "IBCTL_TEST_DROPPED"

// TestUnprivileged runs all tests once more as a user who may do nothing special:
// what root tries is not what most people have.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 || testing.Short() {
		return // it is what happens anyway, or is too much
	}
	if os.Getenv(envDropped) != "" {
		t.Fatal("still root")
	}
	// go test builds into a directory that others cannot enter.
	dir := shortTempDir(t)
	exe := filepath.Join(dir, "supervisor.test")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "/proc/"+strconv.Itoa(os.Getpid())+"/exe", exe).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v: %s", err, out)
	}
	const nobody = 65534
	cmd := exec.CommandContext(t.Context(), exe, "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), envDropped+"=1", "HOME=/", "XDG_RUNTIME_DIR=")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as user %d: %v:\n%s", nobody, err, out)
	}
	if ran := strings.Count(string(out), "\n--- PASS:"); ran < 20 {
		t.Errorf("as user %d only %d tests passed", nobody, ran)
	}
	for _, want := range []string{"TestHostKilled/childless", "TestChildren/process-group/parent-setsid/kill"} {
		if !strings.Contains(string(out), fmt.Sprintf("--- PASS: %s ", want)) {
			t.Errorf("as user %d: %s did not run", nobody, want)
		}
	}
}
