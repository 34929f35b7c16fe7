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
	log  *slog.Logger

	stdin          *os.File // held open: its end tells the plugin that we are gone
	stdout, stderr *os.File // read by whoever runs the process

	// done is closed when the tree is dead, and state is set.
	done  chan struct{}
	state *os.ProcessState
	// tasks waits for the tree's death and complains of its delay.
	tasks sync.WaitGroup

	mu     sync.Mutex
	dead   bool  // done is closed, or about to be
	reason error // why it was killed
	fault  error // what it did wrong, whatever it died of
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
func launch(s *starter, c command, t tree, log *slog.Logger, drain time.Duration) (*process, error) {
	p := &process{tree: t, log: log, done: make(chan struct{})}
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
	p.tasks.Go(func() { p.reap(drain) })
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
	state, err := p.tree.bury(p.proc)
	if err != nil {
		// Without the proof nothing may be declared: whoever waits goes on waiting,
		// which is what was promised. It takes a process that is not our child.
		p.log.Error("cannot prove the death of a plugin", "pid", p.proc.Pid, "error", err)
		return
	}
	p.tree.release()
	_ = p.stdin.Close()
	p.declareDead(state)
	// What the dead have written is still read; a survivor's end is not awaited.
	deadline := time.Now().Add(drain)
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
}

func (p *process) declareDead(state *os.ProcessState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.dead = state, true
	close(p.done)
}

// kill ends the tree for the reason given. It does not wait. The first reason
// counts; what is dead already has its own.
func (p *process) kill(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	if p.reason == nil {
		p.reason = reason
		p.tasks.Go(p.complain)
	}
	p.tree.kill(p.proc)
}

// convict is kill for a process that has done wrong: that is why it ended, even
// if it was quicker to exit by itself.
func (p *process) convict(fault error) {
	p.mu.Lock()
	if p.fault == nil {
		p.fault = fault
	}
	p.mu.Unlock()
	p.kill(fault)
}

// why returns the reason for the death of a process that is done. One that was
// to be killed may have ended by itself all the same.
func (p *process) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fault != nil:
		return p.fault
	case p.reason != nil && killed(p.state):
		return p.reason
	}
	return fmt.Errorf("%w: %v", ErrExited, p.state)
}

func killed(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
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
