package supervisor

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// process is one plugin process, the tree it heads, and our ends of its pipes.
type process struct {
	proc *os.Process
	tree tree

	stdin          *os.File // held open: its end tells the plugin that we are gone
	stdout, stderr *os.File // read by whoever runs the process

	// done is closed when the tree is dead, and state is set.
	done  chan struct{}
	state *os.ProcessState
	// reaped is closed when the goroutine that waited is about to end.
	reaped chan struct{}

	mu     sync.Mutex
	reason error
}

// command is what to execute.
type command struct {
	path  string
	argv  []string
	env   []string
	extra []*os.File // the child's descriptors from 3
}

// launch starts a command at the head of a tree. On success the tree belongs to
// the process; on failure it is released.
func launch(s *starter, c command, t tree, drain time.Duration) (*process, error) {
	p := &process{tree: t, done: make(chan struct{}), reaped: make(chan struct{})}
	child, err := p.pipes()
	if err == nil {
		err = p.start(s, c, child)
	}
	closeAll(child)
	if err != nil {
		closeAll([]*os.File{p.stdin, p.stdout, p.stderr})
		t.release()
		return nil, err
	}
	go p.reap(drain)
	return p, nil
}

// pipes opens the three pipes and returns the child's ends.
func (p *process) pipes() (child []*os.File, err error) {
	open := func(read, write **os.File) {
		if err == nil {
			*read, *write, err = os.Pipe()
		}
	}
	child = make([]*os.File, 3)
	open(&child[0], &p.stdin)
	open(&p.stdout, &child[1])
	open(&p.stderr, &child[2])
	return child, err
}

func (p *process) start(s *starter, c command, child []*os.File) (err error) {
	attr := &os.ProcAttr{
		Dir:   "/",
		Env:   c.env,
		Files: append(child, c.extra...),
		Sys:   new(syscall.SysProcAttr),
	}
	if err := p.tree.prepare(attr.Sys); err != nil {
		return err
	}
	p.proc, err = s.start(c.path, c.argv, attr)
	return err
}

// reap waits for the tree's death, and declares it.
func (p *process) reap(drain time.Duration) {
	defer close(p.reaped)
	state, err := p.tree.bury(p.proc)
	if err != nil {
		// Without the proof nothing may be declared: whoever waits goes on waiting,
		// which is what was promised. It takes a process that is not our child.
		slog.Error("cannot prove the death of a plugin", "pid", p.proc.Pid, "error", err)
		return
	}
	p.state = state
	p.tree.release()
	_ = p.stdin.Close()
	close(p.done)
	// What the dead have written is still read; a survivor's end is not awaited.
	deadline := time.Now().Add(drain)
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
}

// kill ends the tree for the reason given. It does not wait. The first reason
// counts.
func (p *process) kill(reason error) {
	p.mu.Lock()
	if p.reason == nil {
		p.reason = reason
	}
	p.mu.Unlock()
	select {
	case <-p.done:
	default:
		p.tree.kill(p.proc)
	}
}

// why returns the reason for the death of a process that is done.
func (p *process) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil {
		return p.reason
	}
	return fmt.Errorf("%w: %v", ErrExited, p.state)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// isNotSupported tells whether an error of fork means that this kind of tree
// cannot be had here: no right to make a namespace, no room for one, no kernel
// support. Anything else is about the executable.
func isNotSupported(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSPC, syscall.ENOSYS, syscall.EUSERS, syscall.EBUSY} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
