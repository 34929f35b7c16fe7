package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
)

// envDoomedHost makes the test binary a host that runs plugins until it is
// killed. Its value is "LEVEL MARK PLUGIN...".
const envDoomedHost = "IBCTL_TEST_DOOMED_HOST"

func beDoomedHost() {
	words := strings.Fields(os.Getenv(envDoomedHost))
	level, err := strconv.Atoi(words[0])
	if err != nil {
		panic(err)
	}
	sup, err := New(Config{Levels: []Guarantee{Guarantee(level)}})
	if err != nil {
		panic(err)
	}
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for i, name := range words[2:] {
		spec := Builtin(name)
		if name != "good" {
			spec.Path, spec.Args = exe, plugin.ServeArgs(name)[1:]
		}
		spec.Env = []string{envMark + "=" + words[1]}
		p, err := sup.Start(context.Background(), spec)
		if err != nil {
			panic(err)
		}
		if _, err := p.Add(context.Background(), device(1, uint64(i+1))); err != nil {
			panic(err)
		}
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

// TestHostKilled: SIGKILL of the host leaves no plugin process, and under a PID
// namespace nothing that a plugin started either.
func TestHostKilled(t *testing.T) {
	for _, g := range availableLevels(t) {
		plugins := map[Guarantee][]string{
			GuaranteePIDNamespace: {"good", "parent", "parent-setsid"},
		}[g]
		if plugins == nil {
			plugins = []string{"good"}
		}
		t.Run(g.String(), func(t *testing.T) { testHostKilled(t, g, plugins) })
	}
}

func testHostKilled(t *testing.T, g Guarantee, plugins []string) {
	mark := fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano())
	dir := shortTempDir(t)
	host := exec.Command("/proc/self/exe")
	host.Env = append(os.Environ(),
		fmt.Sprintf("%s=%d %s %s", envDoomedHost, g, mark, strings.Join(plugins, " ")), "XDG_RUNTIME_DIR="+dir)
	host.Stderr = os.Stderr
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := stdout.Read(line); err != nil {
		t.Fatal(err)
	}
	children := 0
	for _, name := range plugins {
		if name != "good" {
			children++
		}
	}
	if got := len(marked(mark)); got != len(plugins)+children {
		t.Errorf("%d processes, want %d", got, len(plugins)+children)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "plugins are gone", func() bool { return len(marked(mark)) == 0 })
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
