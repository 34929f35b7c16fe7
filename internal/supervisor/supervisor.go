package supervisor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
)

// Config is what a Supervisor needs from ibctl. The zero value works.
type Config struct {
	Limits Limits
	// Log gets what plugins write and what happens to them. Nil discards it.
	Log *slog.Logger
	// Devices answers a plugin that asks for the registered devices. It may be
	// called by any number of goroutines, and while a Remove is at work; it must
	// not wait for one. Nil stands for no devices.
	Devices func(ctx context.Context) ([]core.Device, error)
	// OnEvent hears what clients report of their devices. Nil ignores it. It is
	// called in order for each device and must not block.
	OnEvent func(client string, dev core.ID, e plugin.Event)
	// OnStray hears of questions in the name of a device that the client does not
	// drive, which are refused. It may be called by any number of goroutines and
	// must not block. Nil ignores it.
	OnStray func(client string, dev core.ID)
	// OnChange hears of every change of a Manager's state, in order for each
	// Manager. It must not block. Nil ignores it.
	OnChange func(Status)
	// Levels are the guarantees to try, best first; nil stands for all.
	Levels []Guarantee
	// RunDir is a directory for sockets; empty stands for /run/ibctl/plugins as
	// root, $XDG_RUNTIME_DIR/ibctl/plugins otherwise, or a private directory
	// beneath the temporary one.
	RunDir string
	// Sole says that no other supervisor uses RunDir at the same time: all that is
	// found there is left over, however young it is.
	Sole bool
}

// Supervisor starts plugin processes. It has one thread and one directory.
type Supervisor struct {
	config  Config
	limits  Limits
	log     *slog.Logger
	epoch   uint64
	starter *starter
	dir     *runDir
	started atomic.Uint64 // control groups, to tell them apart

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // starts and plugins, which need the starter's thread
}

// New returns a Supervisor. Close must follow.
func New(config Config) (*Supervisor, error) {
	bases := runBases()
	if config.RunDir != "" {
		bases = []string{config.RunDir}
	}
	dir, err := newRunDir(bases, config.Sole)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		config:  config,
		limits:  config.Limits.withDefaults(),
		log:     config.Log,
		epoch:   newEpoch(),
		starter: newStarter(),
		dir:     dir,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Epoch is the number that device ids of this process carry.
func (s *Supervisor) Epoch() uint64 { return s.epoch }

// Close waits until every plugin has been stopped, which is for their owners to
// do, and gives back thread and directory. No plugin can be started any more.
func (s *Supervisor) Close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	if !already {
		s.starter.close()
		s.dir.close()
	}
}

// enter counts a start, unless the supervisor is closed.
func (s *Supervisor) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.running.Add(1)
	return nil
}

// newEpoch draws a number that no other ibctl process has.
func newEpoch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.LittleEndian.Uint64(b[:])
}
