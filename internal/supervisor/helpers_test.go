package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
)

// envMark marks a test's processes, so that what is left of them is found
// whatever became of their parents, groups and sessions.
const envMark = "IBCTL_TEST_MARK"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// bench is a supervisor under test, and what it was heard to do.
type bench struct {
	testing.TB
	*Supervisor
	mark   string
	events chan string // "kind" of each event
	log    *lockedBuffer
}

// newBench returns a supervisor with short limits. At the end of the test no
// process may be left.
func newBench(t testing.TB, config Config) *bench {
	t.Helper()
	b := &bench{TB: t, mark: fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()), events: make(chan string, 1000), log: new(lockedBuffer)}
	config.OnEvent = func(_ string, _ core.ID, e plugin.Event) { b.events <- e.Kind }
	if config.Limits.Crash == 0 {
		// The machine may be busy, and what a process died of is to be its own word.
		config.Limits.Crash = patience
	}
	config.Log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if config.RunDir == "" {
		config.RunDir = shortTempDir(t)
	}
	sup, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	b.Supervisor = sup
	t.Cleanup(func() {
		sup.Close()
		if t.Failed() {
			t.Logf("log:\n%s", b.log)
		}
	})
	return b
}

// quick are limits for plugins that are expected to miss them. Generous, still:
// the machine may be busy.
func quick() Limits {
	return Limits{Add: 2 * time.Second, Change: 2 * time.Second, Remove: 2 * time.Second, Shutdown: 2 * time.Second}
}

// shortTempDir is a private directory whose path leaves room for a socket's.
func shortTempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// builtin is the test binary served as a client of ibctl's own.
func (b *bench) builtin(name string) Spec {
	spec := Builtin(name)
	// The race detector would keep each process for a second at its exit.
	spec.Env = append(spec.Env, envMark+"="+b.mark, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	if v := os.Getenv("GOCOVERDIR"); v != "" {
		spec.Env = append(spec.Env, "GOCOVERDIR="+v)
	}
	return spec
}

// external is the same as a third party's executable.
func (b *bench) external(name string) Spec {
	spec := b.builtin(name)
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	spec.Path = exe
	spec.Args = plugin.ServeArgs(name)[1:]
	return spec
}

func (b *bench) start(spec Spec) *Plugin {
	b.Helper()
	p, err := b.Start(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// stop stops p and checks that nothing is left of it.
func (b *bench) stop(p *Plugin) error {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.Stop(ctx)
	b.nothingLeft()
	return err
}

// heard waits for an event of that kind.
func (b *bench) heard(kind string) {
	b.Helper()
	select {
	case got := <-b.events:
		if got != kind {
			b.Fatalf("heard %q, want %q", got, kind)
		}
	case <-time.After(patience):
		b.Fatalf("never heard %q", kind)
	}
}

// nothingLeft fails the test if a marked process is alive.
func (b *bench) nothingLeft() {
	b.Helper()
	if pids := marked(b.mark); len(pids) > 0 {
		b.Errorf("processes left: %v", pids)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// marked returns the living processes that have the mark in their environment.
func marked(mark string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(envMark+"="+mark+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// halt sends SIGSTOP, and waits until it has taken effect on every thread: until
// then the process may still answer.
func halt(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every thread is stopped", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, name := range threads {
			text, err := os.ReadFile(name)
			if state, _, ok := parseStat(text); err != nil || !ok || state != 'T' {
				return false
			}
		}
		return len(threads) > 0
	})
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, patience)
}

// within fails the test if f takes longer than patience.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

func device(index uint32, generation uint64) core.Device {
	return core.Device{
		ID: core.ID{Index: index, Generation: generation},
		Info: rdma.Device{
			Index: rdma.Known(index),
			Name:  fmt.Sprintf("rxe%d", index),
			Ports: []rdma.Port{{Number: 1, LinkLayer: rdma.LinkLayerEthernet, Netdev: "eth0", NetdevIndex: rdma.Known(uint32(7))}},
		},
	}
}

// availableLevels returns the guarantees that can be had here, by trying them.
func availableLevels(t testing.TB) []Guarantee {
	var levels []Guarantee
	for _, g := range []Guarantee{GuaranteePIDNamespace, GuaranteeChildless, GuaranteeCgroup, GuaranteeProcessGroup} {
		b := newBench(t, Config{Levels: []Guarantee{g}})
		p, err := b.Start(t.Context(), b.builtin("good"))
		if err != nil {
			t.Logf("%v is not available: %v", g, err)
			continue
		}
		if p.Guarantee() == g {
			levels = append(levels, g)
		}
		if err := b.stop(p); err != nil {
			t.Error(err)
		}
	}
	return levels
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

var _ io.Writer = (*lockedBuffer)(nil)

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
