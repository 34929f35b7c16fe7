package plugintest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
)

// rawProcess is the plugin's process, started much as ibctl starts it, to which
// nobody ever connects.
type rawProcess struct {
	c      *trial
	cmd    *exec.Cmd
	stdin  *os.File // our end of the pipe
	dir    string   // for its socket
	first  chan string
	exited chan struct{}

	mu     sync.Mutex
	lines  []string
	stderr bytes.Buffer // valid after exited
}

// raw starts the process as a host that offers these versions of the contract
// does; as a person does if there are none.
func (c *trial) raw(versions string) *rawProcess {
	r := &rawProcess{c: c, dir: c.dir(), first: make(chan string, 1), exited: make(chan struct{})}
	argv := append([]string{c.plugin.Path}, c.plugin.Args...)
	path := c.plugin.Path
	if path == "" {
		path, argv = "/proc/self/exe", plugin.ServeArgs(c.plugin.Name)
	}
	r.cmd = &exec.Cmd{Path: path, Args: argv, Dir: "/", Env: c.plugin.env(c.mark()), Stderr: &r.stderr}
	if versions != "" {
		r.cmd.Env = append(r.cmd.Env, plugin.EnvCookie+"="+plugin.CookieValue, "PLUGIN_PROTOCOL_VERSIONS="+versions, "PLUGIN_UNIX_SOCKET_DIR="+r.dir)
	}
	// A group of its own, for its end.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What the process has started may hold its standard error open.
	r.cmd.WaitDelay = time.Second
	r.start()
	return r
}

func (r *rawProcess) start() {
	stdin, ours, err := os.Pipe()
	r.c.must(err)
	r.cmd.Stdin, r.stdin = stdin, ours
	r.c.cleanup(func() { _ = ours.Close() })
	stdout, theirs, err := os.Pipe()
	r.c.must(err)
	r.cmd.Stdout = theirs
	err = r.cmd.Start()
	_ = stdin.Close()
	_ = theirs.Close()
	if err != nil {
		_ = stdout.Close()
		r.c.fatalf("the process cannot be started: %v", err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { r.read(stdout) })
	go func() {
		_ = r.cmd.Wait()
		close(r.exited)
	}()
	r.c.cleanup(func() {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		<-r.exited
		_ = stdout.SetReadDeadline(time.Now().Add(time.Second)) // somebody may hold the other end
		reading.Wait()
	})
}

func (r *rawProcess) read(stdout *os.File) {
	defer stdout.Close()
	defer close(r.first)
	for s := bufio.NewScanner(stdout); s.Scan(); {
		r.mu.Lock()
		r.lines = append(r.lines, s.Text())
		n := len(r.lines)
		r.mu.Unlock()
		if n == 1 {
			r.first <- s.Text()
		}
	}
}

// line is the first line of output, or the end of the trial.
func (r *rawProcess) line() string {
	select {
	case line, ok := <-r.first:
		if !ok {
			r.c.fatalf("standard output ended without a line; standard error: %s", r.words())
		}
		return line
	case <-time.After(r.c.plugin.patience):
		r.c.fatalf("not a line on standard output within %v", r.c.plugin.patience)
	}
	return ""
}

// output is all lines so far.
func (r *rawProcess) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// exits waits for the process to end by itself.
func (r *rawProcess) exits() bool {
	select {
	case <-r.exited:
		return true
	case <-time.After(r.c.plugin.patience):
		return false
	}
}

// words is what the process said on standard error, once it is over.
func (r *rawProcess) words() string {
	if !r.exits() {
		return "(it is still open)"
	}
	return strings.TrimSpace(r.stderr.String())
}
