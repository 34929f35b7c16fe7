package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

func (s *server) runCommand(cmd *wire.Command) (*wire.Exit, error) {
	if err := prepareSystem(); err != nil {
		return nil, err
	}
	if err := s.reaper.modprobe(cmd.ModuleDir, cmd.Modules); err != nil {
		return nil, err
	}
	if err := mountConfigfs(cmd.Modules); err != nil {
		return nil, err
	}
	if cmd.TTY {
		return s.runOnTTY(cmd)
	}
	return s.runOnPipes(cmd)
}

func (s *server) runOnPipes(cmd *wire.Command) (*wire.Exit, error) {
	out, outDone, err := s.forward(func(b []byte) wire.FromGuest { return wire.FromGuest{Stdout: b} })
	if err != nil {
		return nil, err
	}
	errOut, errDone, err := s.forward(func(b []byte) wire.FromGuest { return wire.FromGuest{Stderr: b} })
	if err != nil {
		return nil, err
	}
	exit, err := s.await(cmd, &os.ProcAttr{Files: []*os.File{nil, out, errOut}})
	out.Close()
	errOut.Close()

	// A process that the command left behind keeps the pipes open; its output has no claim on our time.
	patience := time.After(2 * time.Second)
	for _, done := range []<-chan struct{}{outDone, errDone} {
		select {
		case <-done:
		case <-patience:
		}
	}
	return exit, err
}

// forward returns the writing end of a pipe whose content goes to the host; done is closed when all of it has.
func (s *server) forward(wrap func([]byte) wire.FromGuest) (w *os.File, done <-chan struct{}, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("pipe: %w", err)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer r.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 && s.host.Send(wrap(buf[:n])) != nil || err != nil {
				return
			}
		}
	}()
	return w, finished, nil
}

func (s *server) runOnTTY(cmd *wire.Command) (*wire.Exit, error) {
	tty, err := os.OpenFile("/dev/hvc0", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	defer tty.Close()
	if cmd.Rows > 0 && cmd.Cols > 0 {
		size := &unix.Winsize{Row: cmd.Rows, Col: cmd.Cols}
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, size); err != nil {
			return nil, fmt.Errorf("size of the terminal: %w", err)
		}
	}
	return s.await(cmd, &os.ProcAttr{
		Files: []*os.File{tty, tty, tty},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	})
}

// await starts the command and returns how it ended, dumping its state whenever the host asks.
func (s *server) await(cmd *wire.Command, attr *os.ProcAttr) (*wire.Exit, error) {
	path, err := lookPath(cmd)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return s.refuse(127, err)
	}
	if err != nil {
		return s.refuse(126, err)
	}
	attr.Env, attr.Dir = cmd.Env, cmd.Dir
	pid, ended, err := s.reaper.start(path, cmd.Args, attr)
	if err != nil {
		return s.refuse(126, err)
	}
	for {
		select {
		case exit := <-ended:
			return &exit, nil
		case <-s.dump:
			s.dumpState(pid)
		}
	}
}

// refuse reports a command that can't be started the way a shell does: with a line on stderr and the status 126 or 127.
func (s *server) refuse(status int, err error) (*wire.Exit, error) {
	if err := s.host.Send(wire.FromGuest{Stderr: fmt.Appendf(nil, "lab: %v\n", err)}); err != nil {
		return nil, err
	}
	return &wire.Exit{Status: status}, nil
}

// lookPath finds the program in the PATH that the command is going to have.
func lookPath(cmd *wire.Command) (string, error) {
	for _, kv := range cmd.Env {
		if len(kv) > 5 && kv[:5] == "PATH=" {
			os.Setenv("PATH", kv[5:])
		}
	}
	if err := os.Chdir(cmd.Dir); err != nil {
		return "", err
	}
	return exec.LookPath(cmd.Args[0])
}
