package core

import "time"

// service is whether a device serves clients and leases. One that is on the list
// and serves nobody is being drained, or is drained. devicesMu guards it.
type service struct {
	state serviceState
	since time.Time // the draining began
	// ending is closed when the device stops to serve.
	ending chan struct{}
	// idle is closed when the last lease is released; nil where nobody waits.
	idle chan struct{}
}

type serviceState int

const (
	serving serviceState = iota
	draining
	drained
)

func inService() service { return service{ending: make(chan struct{})} }

func outOfService() service {
	s := inService()
	s.stop(drained)
	return s
}

func (s *service) drained() bool { return s.state == drained }

// serves tells whether clients are to be on d, and leases may be had.
func (d *device) serves() bool { return d.service.state == serving }

// stop takes the device out of service, or further on the way there.
func (s *service) stop(next serviceState) {
	s.state = next
	s.end()
}

// end tells the leases that it is over.
func (s *service) end() {
	if !isClosed(s.ending) {
		close(s.ending)
	}
}

// whenIdle returns a channel that is closed when there are no leases, of which
// there are so many now.
func (s *service) whenIdle(leases int) <-chan struct{} {
	s.idle = make(chan struct{})
	idle := s.idle
	s.released(leases)
	return idle
}

// released notes that so many leases are left.
func (s *service) released(left int) {
	if left == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}
