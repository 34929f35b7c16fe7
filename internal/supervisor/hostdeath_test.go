package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
)

// envDoomedHost makes the test binary a host that runs plugins until it is
// killed. Its value is a doomedHost as JSON.
const envDoomedHost = "IBCTL_TEST_DOOMED_HOST"

type doomedHost struct {
	Level   int // a Guarantee; as such its JSON would be a name
	Mark    string
	RunDir  string
	Plugins []string
}

func beDoomedHost() {
	var h doomedHost
	must(json.Unmarshal([]byte(os.Getenv(envDoomedHost)), &h))
	sup, err := New(Config{Levels: []Guarantee{Guarantee(h.Level)}, RunDir: h.RunDir})
	must(err)
	exe, err := os.Executable()
	must(err)
	for i, name := range h.Plugins {
		spec := Builtin(name)
		if name != "good" {
			spec.Path, spec.Args = exe, plugin.ServeArgs(name)[1:]
		}
		spec.Env = []string{envMark + "=" + h.Mark}
		p, err := sup.Start(context.Background(), spec)
		must(err)
		_, err = p.Add(context.Background(), device(1, uint64(i+1)))
		must(err)
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// run starts the host, waits until its plugins drive a device, and kills it.
func (h doomedHost) run(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	host := exec.Command("/proc/self/exe")
	host.Env = append(os.Environ(), envDoomedHost+"="+string(text))
	host.Stderr = os.Stderr
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer host.Wait()
	defer host.Process.Kill()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("host said %q, %v", line, err)
	}
	children := 0
	for _, name := range h.Plugins {
		if name != "good" {
			children++
		}
	}
	if got := len(marked(h.Mark)); got != len(h.Plugins)+children {
		t.Errorf("%d processes, want %d", got, len(h.Plugins)+children)
	}
}

func newDoomedHost(t *testing.T, g Guarantee, plugins ...string) doomedHost {
	return doomedHost{int(g), fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()), shortTempDir(t), plugins}
}

// TestHostKilled: SIGKILL of the host leaves no plugin process, and under a PID
// namespace nothing that a plugin started either.
func TestHostKilled(t *testing.T) {
	for _, g := range availableLevels(t) {
		plugins := []string{"good", "good"}
		if g == GuaranteePIDNamespace {
			plugins = []string{"good", "parent", "parent-setsid"}
		}
		t.Run(g.String(), func(t *testing.T) {
			h := newDoomedHost(t, g, plugins...)
			h.run(t)
			eventually(t, "plugins are gone", func() bool { return len(marked(h.Mark)) == 0 })
			h.sweep(t)
		})
	}
}

// TestCgroupOutlivesHost: what a control group's guarantee lacks, the next
// supervisor makes good.
func TestCgroupOutlivesHost(t *testing.T) {
	if !slices.Contains(availableLevels(t), GuaranteeCgroup) {
		return // said by TestAvailableLevels if it ought to be
	}
	h := newDoomedHost(t, GuaranteeCgroup, "parent-setsid")
	h.run(t)
	eventually(t, "the plugin is gone", func() bool { return len(marked(h.Mark)) == 1 })
	h.sweep(t)
	if left := marked(h.Mark); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	own, err := ownCgroup()
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(own, "ibctl-*-parent-setsid-*")); len(left) > 0 {
		t.Errorf("control groups left: %v", left)
	}
}

// sweep lets another supervisor find what the host has left behind, which it does
// not do at once, and checks that it is gone.
func (h doomedHost) sweep(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(h.RunDir)
	if err != nil || len(left) != 1 {
		t.Fatalf("in the run directory: %v, %v", left, err)
	}
	old := filepath.Join(h.RunDir, left[0].Name())
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	sup, err := New(Config{RunDir: h.RunDir})
	if err != nil {
		t.Fatal(err)
	}
	sup.Close()
	if left, err := os.ReadDir(h.RunDir); err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}

// TestLifeline: a plugin ends with its host also where no parent-death signal
// tells it to. This one is not given a chance to notice by other means: nobody
// ever connects to it.
func TestLifeline(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", plugin.ServeArgs("good")[1:]...)
	cmd.Env = []string{plugin.EnvCookie + "=" + plugin.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + shortTempDir(t)}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	within(t, "exit", func() { _ = cmd.Wait() })
	if code := cmd.ProcessState.ExitCode(); code != plugin.ExitOrphan {
		t.Errorf("exit status %d", code)
	}
}

func TestNotForPeople(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", plugin.ServeArgs("good")[1:]...)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != plugin.ExitUsage || !strings.Contains(string(out), "ibctl-plugin(7)") {
		t.Errorf("%v: %s", err, out)
	}
}
