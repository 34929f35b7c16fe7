package vm

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

// Run boots the kernel, runs the command and returns when the machine is gone. An error means that there is no exit status; it is
// a *Stopped if the guest was started. A command that fails is no error: look at Result.Status.
func Run(ctx context.Context, cfg Config) (Result, error) {
	cfg = cfg.withDefaults()
	restore := saveTerminal(cfg.TTY)
	defer restore()
	m, err := startMachine(cfg)
	if err != nil {
		return Result{}, err
	}
	s := &session{
		cfg: cfg, m: m, began: time.Now(),
		events: make(chan wire.FromGuest),
		done:   make(chan struct{}),
		host:   wire.NewSender(m.port),
	}
	return s.run(ctx)
}

// session is one run. Its fields belong to the goroutine of run, except for log.
type session struct {
	cfg    Config
	m      *machine
	host   *wire.Sender
	log    console
	events chan wire.FromGuest
	done   chan struct{} // closed when nobody receives events any more
	began  time.Time

	booted  time.Duration // 0 before Hello
	release string
	exit    *wire.Exit
	guest   string // what went wrong in the guest, in its words
	portErr error
	stop    stopper
}

func (s *session) run(ctx context.Context) (Result, error) {
	var readers sync.WaitGroup
	readers.Go(func() { _, _ = io.Copy(&s.log, s.m.console) })
	readers.Go(func() { _, _ = io.Copy(io.Discard, s.m.qmp) })
	portEnded := make(chan error, 1)
	readers.Go(func() { portEnded <- wire.Receive(s.m.port, s.deliver) })

	s.stop = newStopper(s)
	s.loop(ctx, portEnded)
	s.stop.release()
	close(s.done)
	readers.Wait() // QEMU is gone, so each has come to an end, with all that was sent
	s.m.closeConns()
	return s.result(), s.err()
}

// deliver hands a message to the session's goroutine.
func (s *session) deliver(m wire.FromGuest) error {
	select {
	case s.events <- m:
		return nil
	case <-s.done:
		return io.ErrClosedPipe
	}
}

// loop handles what happens until QEMU is gone and everything that the guest had sent is read.
func (s *session) loop(ctx context.Context, portEnded <-chan error) {
	cancelled, exited := ctx.Done(), s.m.exited
	for exited != nil || portEnded != nil {
		select {
		case m := <-s.events:
			if err := s.handle(m); err != nil {
				s.stop.abort(err)
			}
		case <-s.stop.timer():
			s.stop.next()
		case <-cancelled:
			s.stop.abort(ctx.Err())
			cancelled = nil
		case <-exited:
			exited = nil
		case s.portErr = <-portEnded:
			portEnded = nil
		}
	}
}

func (s *session) handle(m wire.FromGuest) error {
	s.stop.sawLife()
	var err error
	switch {
	case m.Hello != nil:
		s.booted, s.release = time.Since(s.began), m.Hello.Release
		err = s.host.Send(wire.ToGuest{Run: s.command()})
	case m.Stdout != nil:
		_, err = s.cfg.Stdout.Write(m.Stdout)
	case m.Stderr != nil:
		_, err = s.cfg.Stderr.Write(m.Stderr)
	case m.Exit != nil:
		s.exit = m.Exit
		err = s.host.Send(wire.ToGuest{Bye: true})
	case m.Failed != "":
		s.guest = m.Failed
		err = s.host.Send(wire.ToGuest{Bye: true})
	}
	if err != nil {
		return fmt.Errorf("lab: pass on from the guest: %w", err)
	}
	return nil
}

func (s *session) command() *wire.Command {
	cmd := &wire.Command{
		Args: s.cfg.Command, Env: s.cfg.Env, Dir: s.cfg.Dir,
		Modules: s.cfg.Modules, ModuleDir: s.cfg.Kernel.Modules,
		TTY: s.cfg.TTY,
	}
	if s.cfg.TTY {
		cmd.Rows, cmd.Cols = terminalSize()
	}
	return cmd
}

func (s *session) result() Result {
	r := Result{Release: s.release, Console: s.log.bytes(), Booted: s.booted, Total: time.Since(s.began)}
	if s.exit != nil {
		r.Status, r.Signal = s.exit.Status, s.exit.Signal
	}
	return r
}

// err is the error of a session that brought no exit status, or nil.
func (s *session) err() error {
	e := &Stopped{Reason: s.stop.reason, Detail: s.stop.detail, Release: s.cfg.Kernel.Release, Console: s.log.bytes(), Hang: s.stop.asked}
	switch {
	case s.stop.reason != nil:
		if s.exit != nil {
			e.Detail += fmt.Sprintf("; the command then ended with status %d", s.exit.Status)
		}
	case s.exit != nil:
		return nil
	case s.guest != "":
		e.Reason, e.Detail = ErrGuest, s.guest
	default:
		e.Reason, e.Detail = ErrDied, s.m.stderr.String()
		if e.Detail == "" && s.portErr != nil {
			e.Detail = s.portErr.Error()
		}
	}
	return e
}
