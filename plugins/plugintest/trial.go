package plugintest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/soak"
)

// envMark is in the environment of every process of a trial.
const envMark = "IBCTL_PLUGINTEST_MARK"

// trial is one rule being tried on one plugin.
type trial struct {
	t      *testing.T
	rule   rule
	plugin Plugin
	marks  []string // the last one is given to new processes

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

var trials atomic.Uint64

// examine tries the rule out, and returns what speaks against the plugin.
func (r rule) examine(t *testing.T, p Plugin) []string {
	c := &trial{t: t, rule: r, plugin: p}
	c.anew()
	var tried sync.WaitGroup
	tried.Go(func() {
		defer c.clean()
		r.try(c)
	})
	tried.Wait()
	return c.failures
}

// anew has the processes that come from now on looked for by themselves.
func (c *trial) anew() {
	c.marks = append(c.marks, fmt.Sprintf("%d-%d", os.Getpid(), trials.Add(1)))
}

func (c *trial) mark() string { return c.marks[len(c.marks)-1] }

// errorf notes what speaks against the plugin.
func (c *trial) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
}

// fatalf is errorf, and the end of the trial.
func (c *trial) fatalf(format string, args ...any) {
	c.errorf(format, args...)
	runtime.Goexit()
}

// must ends the trial where the kit itself cannot go on.
func (c *trial) must(err error) {
	if err != nil {
		c.fatalf("the kit cannot work here: %v", err)
	}
}

// cleanup has f called when the trial is over; the last comes first.
func (c *trial) cleanup(f func()) { c.cleanups = append(c.cleanups, f) }

// clean ends whatever the trial has started.
func (c *trial) clean() {
	for i := len(c.cleanups) - 1; i >= 0; i-- {
		c.cleanups[i]()
	}
	for _, mark := range c.marks {
		for _, pid := range marked(mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// dir makes a private directory whose path leaves room for a socket's.
func (c *trial) dir() string {
	dir, err := os.MkdirTemp("", "pt")
	c.must(err)
	c.cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// dice is the random source of the trial.
func (c *trial) dice() *rand.Rand { return soak.NewDice(c.t) }

// nothingLeft fails the trial if one of its latest processes is alive.
func (c *trial) nothingLeft(when string) {
	if pids := marked(c.mark()); len(pids) > 0 {
		c.errorf("%s, and processes are left: %s", when, describe(pids))
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

// describe names processes by number and command line.
func describe(pids []int) string {
	var b bytes.Buffer
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(&b, "\n\t%d\t%s", pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
	}
	return b.String()
}

// within runs f and tells whether it came to its end in time. It is waited for
// in any case: what it waits for is ended by onLate.
func (c *trial) within(f, onLate func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(c.plugin.patience):
	}
	onLate()
	<-done
	return false
}
