package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

// server runs the one command of this VM's life.
type server struct {
	host    *wire.Sender
	reaper  *reaper
	command chan *wire.Command
	lost    chan error    // the port ended: the host is gone or talks nonsense
	bye     chan struct{} // the host has read everything
	dump    chan struct{} // the host thinks the command hangs
}

// newServer returns a server that listens to the host, for as long as the machine runs.
func newServer(port io.ReadWriter) *server {
	s := &server{
		host:    wire.NewSender(port),
		command: make(chan *wire.Command, 1),
		lost:    make(chan error, 1),
		bye:     make(chan struct{}, 1),
		dump:    make(chan struct{}, 1),
	}
	go func() { s.lost <- wire.Receive(port, s.receive) }()
	return s
}

func (s *server) run() (*wire.Exit, error) {
	if err := enterOverlay(); err != nil {
		return nil, err
	}
	release, err := kernelRelease()
	if err != nil {
		return nil, err
	}
	s.reaper = newReaper()
	if err := s.host.Send(wire.FromGuest{Hello: &wire.Hello{Release: release}}); err != nil {
		return nil, err
	}
	select {
	case cmd := <-s.command:
		return s.runCommand(cmd)
	case err := <-s.lost:
		return nil, fmt.Errorf("no command came: %v", err)
	}
}

func (s *server) receive(m wire.ToGuest) error {
	switch {
	case m.Run != nil:
		s.command <- m.Run
	case m.Dump:
		select {
		case s.dump <- struct{}{}:
		default: // one is under way
		}
	case m.Bye:
		s.bye <- struct{}{}
	}
	return nil
}

// finish sends the last message and waits until the host has it.
func (s *server) finish(last wire.FromGuest) error {
	if err := s.host.Send(last); err != nil {
		return err
	}
	select {
	case <-s.bye:
		return nil
	case err := <-s.lost:
		return fmt.Errorf("the host hung up before the end: %v", err)
	case <-time.After(time.Minute):
		return errors.New("the host does not answer")
	}
}
