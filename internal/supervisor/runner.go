package supervisor

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// runner is what go-plugin runs a plugin with (runner.Runner). It keeps the
// pipes to itself: go-plugin is shown the handshake line and nothing else, and so
// it never waits for what a descendant of the plugin still holds open.
type runner struct {
	name   string
	dir    string // where the plugin's socket has to be
	output *output
	launch func(env []string) (*process, error)
	env    []string

	read   sync.WaitGroup // the readers of the pipes
	stdout *io.PipeReader
	line   *io.PipeWriter
	// greeted is set when the first line was good and passed on.
	greeted atomic.Bool

	mu      sync.Mutex
	proc    *process
	aborted error
}

// Start implements runner.Runner.
func (r *runner) Start(context.Context) error {
	proc, err := r.launch(r.env)
	if err != nil {
		return err
	}
	r.stdout, r.line = io.Pipe()
	r.adopt(proc)
	r.read.Go(func() {
		defer proc.stderr.Close()
		r.output.follow(proc.stderr, func(line string) { r.output.write(line, slog.LevelWarn) })
	})
	r.read.Go(func() {
		defer proc.stdout.Close()
		r.followStdout(proc)
	})
	return nil
}

// adopt makes the process known, and kills it if the start was given up already.
func (r *runner) adopt(proc *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proc = proc
	if r.aborted != nil {
		proc.kill(r.aborted)
	}
}

// abort gives up the start: the process, now or as soon as there is one, is
// killed, and go-plugin no longer waits for its first line.
func (r *runner) abort(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aborted = reason
	if r.proc != nil {
		r.proc.kill(reason)
		_ = r.line.Close()
	}
}

// started returns the process, or nil if there is none.
func (r *runner) started() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc
}

// followStdout passes the first line on, if it is good; later ones are log.
func (r *runner) followStdout(proc *process) {
	first := true
	r.output.follow(proc.stdout, func(line string) {
		if first {
			first = false
			r.shakeHands(proc, line)
			return
		}
		r.output.write(line, slog.LevelInfo)
	})
	_ = r.line.Close()
}

func (r *runner) shakeHands(proc *process, line string) {
	if err := checkHandshake(line, r.dir); err != nil {
		proc.convict(err)
	} else {
		r.greeted.Store(true)
		// The reader goes away if the start is given up; then nobody needs it.
		_, _ = io.WriteString(r.line, line+"\n")
	}
	_ = r.line.Close()
}

// Wait implements runner.AttachedRunner: it returns when the tree is dead.
func (r *runner) Wait(context.Context) error {
	<-r.started().done
	return nil
}

// Kill implements runner.AttachedRunner. It does nothing: go-plugin kills where a
// start failed or a stop takes long, and there the supervisor does so itself, with
// a reason to give and deadlines of its own.
func (r *runner) Kill(context.Context) error { return nil }

// Stdout implements runner.Runner.
func (r *runner) Stdout() io.ReadCloser { return r.stdout }

// Stderr implements runner.Runner.
func (r *runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (r *runner) Name() string { return r.name }

// ID implements runner.AttachedRunner. It is empty where no process was started.
func (r *runner) ID() string {
	if p := r.started(); p != nil {
		return strconv.Itoa(p.proc.Pid)
	}
	return ""
}

// Diagnose implements runner.Runner; [StartError] says more.
func (r *runner) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.AddrTranslator: both see the same files.
func (r *runner) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.AddrTranslator.
func (r *runner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
