package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// The rules for how a plugin ends, and what is left of it.

func tryNothingLeft(c *trial) {
	r := c.start()
	r.add(r.next(0))
	r.add(r.next(1))
	_ = r.stop()
	c.nothingLeft("the plugin was stopped")
}

// cut is a way in which a call is cut short.
type cut struct {
	name  string
	kills bool // in any case
	do    func(r *running, giveUp func())
}

var cuts = []cut{
	{"a signal", true, func(r *running, _ func()) { _ = syscall.Kill(r.PID(), syscall.SIGKILL) }},
	{"ibctl", true, func(r *running, _ func()) { r.Kill(errors.New("killed by the trial")) }},
	{"a caller that gives up", false, func(_ *running, giveUp func()) { giveUp() }},
}

// tryKilled cuts Adds and Removes short, at moments that chance chooses.
func tryKilled(c *trial) {
	dice := c.dice()
	for range c.rounds() {
		for _, cut := range cuts {
			for _, call := range []string{"Add", "Remove"} {
				c.cutShort(call, cut, time.Duration(dice.Int64N(int64(3*time.Millisecond))))
			}
		}
	}
}

func (c *trial) rounds() int {
	if c.plugin.cycles > 0 {
		return 1
	}
	return soak.Times(1, 50)
}

// cutShort starts a plugin, cuts a call short, and looks at what is left when the
// call has returned and the plugin is dead.
func (c *trial) cutShort(call string, cut cut, after time.Duration) {
	c.anew()
	r := c.start()
	dev := r.next(0)
	if call == "Remove" {
		r.add(dev)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	var cutting sync.WaitGroup
	cutting.Go(func() {
		time.Sleep(after)
		cut.do(r, giveUp)
	})
	what := fmt.Sprintf("%s was cut short by %s after %v", call, cut.name, after)
	c.call(ctx, r, call, dev, what)
	cutting.Wait()
	if cut.kills {
		<-r.Done()
	}
	if r.Err() != nil {
		c.nothingLeft(what)
	}
	_ = r.stop()
}

// call ends by an answer, or by the end of all processes.
func (c *trial) call(ctx context.Context, r *running, call string, dev core.Device, what string) {
	inTime := c.within(func() {
		var err error
		if call == "Add" {
			_, err = r.Add(ctx, dev)
		} else {
			err = r.Remove(ctx, dev, nil)
		}
		if _, dead := errors.AsType[*supervisor.DeadError](err); dead {
			c.nothingLeft(what)
		}
	}, r.late)
	if !inTime {
		c.errorf("%s: not over within %v", what, c.plugin.patience)
	}
}

// hangLimit is the deadline of a process that cannot meet it.
const hangLimit = time.Second

// tryStopped stops the process with SIGSTOP before the call, so that the deadline
// is missed on any machine.
func tryStopped(c *trial) {
	for _, call := range []string{"Add", "Remove"} {
		limits := supervisor.Limits{Add: hangLimit}
		if call == "Remove" {
			limits = supervisor.Limits{Remove: hangLimit}
		}
		c.anew()
		r := c.host(limits).start()
		dev := r.next(0)
		if call == "Remove" {
			r.add(dev)
		}
		c.halt(r.PID())
		c.call(context.Background(), r, call, dev, "a hanging "+call+" came to its deadline")
		if !errors.Is(r.Err(), supervisor.ErrDeadline) {
			c.errorf("a hanging %s ended with %v", call, r.Err())
		}
	}
}

// halt sends SIGSTOP, and returns when it has taken effect on every thread: that
// takes a moment, in which the process could still answer.
func (c *trial) halt(pid int) {
	c.must(syscall.Kill(pid, syscall.SIGSTOP))
	for end := time.Now().Add(c.plugin.patience); ; time.Sleep(time.Millisecond) {
		switch {
		case halted(pid):
			return
		case time.Now().After(end):
			c.fatalf("it does not stop at SIGSTOP")
		}
	}
}

// halted tells whether all threads are stopped (state T; proc_pid_stat(5)).
func halted(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" T")) {
			return false
		}
	}
	return len(threads) > 0
}

// tryFreshStart kills a plugin that drives devices, and gives them to the next.
func tryFreshStart(c *trial) {
	const devices = 4
	h := c.host(supervisor.Limits{})
	first := h.start()
	for i := range devices {
		first.add(first.next(i))
	}
	_ = syscall.Kill(first.PID(), syscall.SIGKILL)
	<-first.Done()
	_ = first.stop()
	second, err := h.tryToStart()
	if err != nil {
		c.fatalf("%v", err)
	}
	second.last = first.last
	for i := range devices {
		dev := second.next(i)
		if _, err := second.Add(context.Background(), dev); err != nil {
			c.errorf("%v", err)
		}
	}
}
