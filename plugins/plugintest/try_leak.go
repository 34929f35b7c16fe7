package plugintest

import (
	"bufio"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// The rules for what devices that came and went leave behind in the process.

// cycles is how many devices come and go; few is for warming up.
func (c *trial) cycles() int {
	if c.plugin.cycles > 0 {
		return c.plugin.cycles
	}
	return soak.Times(1000, 5000)
}

const few = 20

// cycle has n devices come and go, one after the other.
func (r *running) cycle(n int) {
	for i := range n {
		r.attach(r.next(i)).finish()
	}
}

func tryDescriptors(c *trial) {
	r := c.start()
	r.cycle(few)
	before := c.descriptors(r.PID())
	r.cycle(c.cycles())
	after := c.descriptors(r.PID())
	// A few may be open for the moment.
	if len(after) > len(before)+3 {
		c.errorf("after %d devices %d descriptors are open, after %d it was %d; the last are\n\t%s",
			few+c.cycles(), len(after), few, len(before), strings.Join(after[max(0, len(after)-5):], "\n\t"))
	}
}

// descriptors returns what a process has open, by number.
func (c *trial) descriptors(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	c.must(err)
	open := map[int]string{}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			target, _ := os.Readlink(dir + "/" + e.Name())
			open[n] = e.Name() + " → " + target
		}
	}
	var list []string
	for _, n := range slices.Sorted(maps.Keys(open)) {
		list = append(list, open[n])
	}
	return list
}

// slack is how many goroutines or threads may come and go by themselves.
const slack = 10

func tryGoroutines(c *trial) {
	count := c.goroutines
	if !c.isGo() {
		count = c.threads
	}
	before, after := count(few), count(few+c.cycles())
	if after.n > before.n+slack {
		c.errorf("after %d devices there are %d %s, after %d there were %d; most of them are\n%s",
			few+c.cycles(), after.n, after.what, few, before.n, after.most)
	}
}

// census is how many goroutines or threads a process has after some devices.
type census struct {
	n          int
	what, most string
}

// isGo tells whether the executable was built by Go.
func (c *trial) isGo() bool {
	_, err := buildinfo.ReadFile(fmt.Sprintf("/proc/%d/exe", c.start().PID()))
	return err == nil
}

// goroutines has the process print all of its goroutines, which is its end
// (SIGQUIT; package runtime).
func (c *trial) goroutines(devices int) census {
	h := c.host(supervisor.Limits{LogLine: 1 << 16})
	r := h.start()
	r.cycle(devices)
	if err := syscall.Kill(r.PID(), syscall.SIGQUIT); err != nil {
		c.fatalf("SIGQUIT: %v", err)
	}
	select {
	case <-r.Done():
	case <-time.After(c.plugin.patience):
	}
	_ = r.stop() // what it has written is read by then
	n, most := countGoroutines(h.log.all())
	if n == 0 {
		c.fatalf("it does not print its goroutines at SIGQUIT: a Go program does unless it catches the signal")
	}
	return census{n, "goroutines", most}
}

// countGoroutines reads a dump, and returns the place in which most goroutines of
// one kind were started.
func countGoroutines(lines []string) (n int, most string) {
	places := map[string]int{}
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:"):
			n++
		case strings.HasPrefix(line, "created by "):
			place, _, _ := strings.Cut(line, " in goroutine")
			places[place]++
		}
	}
	for place, count := range places {
		if count > places[most] || count == places[most] && place < most {
			most = place
		}
	}
	return n, most
}

func (c *trial) threads(devices int) census {
	r := c.start()
	r.cycle(devices)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.PID()))
	c.must(err)
	return census{len(tasks), "threads", ""}
}

// room is how much memory may grow by for reasons that are no leak: heaps grow
// before they are collected, and arenas are not given back.
const room = 32 << 20

func tryMemory(c *trial) {
	r := c.start()
	r.cycle(max(few, c.cycles()/2))
	before := c.memory(r.PID())
	r.cycle(c.cycles())
	after := c.memory(r.PID())
	if after > before+room {
		c.errorf("in %d devices its memory grew from %d to %d KiB", c.cycles(), before>>10, after>>10)
	}
}

// memory is what a process has of its own, in octets (RssAnon; proc_pid_status(5)).
func (c *trial) memory(pid int) int {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	c.must(err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(text, "kB")))
			c.must(err)
			return kib << 10
		}
	}
	c.fatalf("the kernel does not tell how much memory a process has")
	return 0
}
