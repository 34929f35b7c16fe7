package plugintest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/supervisor"
)

// envDoomed makes Run an ibctl that is to be killed. Its value is the mark of the
// trial, and the name of the test that calls Run.
const envDoomed = "IBCTL_PLUGINTEST_DOOMED"

// beDoomed runs the plugin until it is killed, if that is what this process is
// for: it is then a copy of the test that called Run.
func beDoomed(t *testing.T, p Plugin) {
	mark, name, ok := strings.Cut(os.Getenv(envDoomed), " ")
	if !ok || name != p.test {
		return
	}
	c := &trial{t: t, plugin: p, marks: []string{mark}}
	h := c.host(supervisor.Limits{})
	r, err := h.tryToStart()
	if err == nil {
		_, err = r.Add(t.Context(), r.next(0))
	}
	word := "ready"
	if err != nil {
		word = err.Error()
	}
	fmt.Fprintln(os.NewFile(3, "ready"), word)
	time.Sleep(time.Hour)
}

// looks times pause is a second on a machine that has nothing else to do. On a
// busy one it is longer, but then so is everything.
const (
	looks = 200
	pause = 5 * time.Millisecond
)

func tryHostKilled(c *trial) {
	host := exec.Command("/proc/self/exe", "-test.run="+onlyTest(c.plugin.test))
	host.Env = append(os.Environ(), envDoomed+"="+c.mark()+" "+c.plugin.test, "TMPDIR="+c.dir())
	ready, theirs, err := os.Pipe()
	c.must(err)
	defer ready.Close()
	host.ExtraFiles = []*os.File{theirs}
	c.must(host.Start())
	_ = theirs.Close()
	_ = ready.SetReadDeadline(time.Now().Add(2 * c.plugin.patience))
	buf := make([]byte, 1000)
	n, err := ready.Read(buf)
	_ = host.Process.Kill()
	killed := time.Now()
	defer host.Wait()
	if word := strings.TrimSpace(string(buf[:n])); word != "ready" {
		c.fatalf("another process of this test cannot run the plugin: %s (%v)", word, err)
	}
	c.awaitEmpty(killed)
}

// onlyTest is a pattern for -test.run that matches one test or subtest.
func onlyTest(name string) string {
	var parts []string
	for _, part := range strings.Split(name, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	return strings.Join(parts, "/")
}

func (c *trial) awaitEmpty(since time.Time) {
	for range looks {
		if len(marked(c.mark())) == 0 {
			c.t.Logf("gone %v after ibctl was killed", time.Since(since).Round(time.Millisecond))
			return
		}
		time.Sleep(pause)
	}
	c.nothingLeft("ibctl was killed")
}
