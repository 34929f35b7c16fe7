package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ibctl/ibctl/core"
)

// Manager keeps one client in a registry. It starts a plugin and registers it;
// when the plugin dies it unregisters it, which is quick, since the dead drive
// nothing, and starts the next one, which is added to every device anew. A plugin
// that dies too often stays unregistered.
type Manager struct {
	sup  *Supervisor
	reg  *core.Registry
	spec Spec
	log  *slog.Logger

	stop context.CancelFunc
	// settled is closed when the client first runs, or never will; done when the
	// manager has ended.
	settled, done chan struct{}
	settle        sync.Once
	crashes       crashes // belongs to run

	mu       sync.Mutex
	status   Status
	plugin   *Plugin // nil while none is registered
	failure  error   // why the client is not running, once it is settled
	hastened error
}

// Manage starts a Manager. Stop must follow; the registry must outlive it.
func (s *Supervisor) Manage(reg *core.Registry, spec Spec) (*Manager, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Manager{
		sup:     s,
		reg:     reg,
		spec:    spec,
		log:     s.log.With("plugin", spec.Name),
		stop:    stop,
		settled: make(chan struct{}),
		done:    make(chan struct{}),
		crashes: newCrashes(s.limits),
		status:  Status{Name: spec.Name},
	}
	go m.run(ctx)
	return m, nil
}

// Ready waits until the client is registered and all its Adds have returned. It
// fails when the client will not run: its executable is refused, or it crashed
// [Limits.Crashes] times. With a limit of one, that is at the first failure, as a
// command that runs once wants it.
func (m *Manager) Ready(ctx context.Context) error {
	select {
	case <-m.settled:
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.failure
	case <-ctx.Done():
		return fmt.Errorf("plugin %s: not ready: %w", m.spec.Name, context.Cause(ctx))
	}
}

// Stop unregisters the client, which removes it from every device, stops its
// process, and returns when both are over. When ctx ends, the process is killed
// instead of waited for, here and in Removes that are under way.
func (m *Manager) Stop(ctx context.Context) {
	m.stop()
	select {
	case <-m.done:
		return
	case <-ctx.Done():
	}
	m.hasten(fmt.Errorf("stop: %w: %w", ErrHastened, context.Cause(ctx)))
	<-m.done
}

// hasten kills the plugin, now or when there is one.
func (m *Manager) hasten(reason error) {
	m.mu.Lock()
	m.hastened = reason
	p := m.plugin
	m.mu.Unlock()
	if p != nil {
		p.Kill(reason)
	}
}

// run is the life of the manager.
func (m *Manager) run(ctx context.Context) {
	defer m.sup.running.Done()
	defer close(m.done)
	for ctx.Err() == nil {
		m.enter(StateStarting, nil)
		err := m.serve(ctx)
		if ctx.Err() == nil && !m.pause(ctx, err) {
			return
		}
	}
	m.enter(StateStopped, nil)
	m.settleWith(fmt.Errorf("plugin %s: %w", m.spec.Name, ErrNotRunning))
}

// serve runs one plugin from its start to its end, and returns why it ended.
func (m *Manager) serve(ctx context.Context) error {
	p, err := m.sup.Start(ctx, m.spec)
	if err != nil {
		return err
	}
	m.adopt(p)
	defer m.adopt(nil)
	// If it fails, the registry has taken everything back already.
	if err = m.reg.RegisterClient(ctx, p); err == nil {
		m.enter(StateRunning, nil)
		m.settleWith(nil)
		m.await(ctx, p)
		m.unregister(ctx)
	}
	// The registry is done with it; what remains takes one grace period at most.
	if stopped := p.Stop(context.WithoutCancel(ctx)); stopped != nil {
		m.log.Warn("plugin did not stop in order", "error", stopped)
	}
	return cmp.Or(err, p.Err())
}

func (m *Manager) await(ctx context.Context, p *Plugin) {
	select {
	case <-p.Done():
	case <-ctx.Done():
		m.enter(StateStopping, nil)
	}
}

// unregister returns when every Remove has. They tell the registry's event log
// what came of them.
func (m *Manager) unregister(ctx context.Context) {
	err := m.reg.UnregisterClient(context.WithoutCancel(ctx), m.spec.Name)
	if err != nil && !errors.Is(err, ErrExited) {
		m.log.Warn("client is off its devices, but not in order", "error", err)
	}
}

// pause decides what comes after a failure. It returns false when nothing does.
func (m *Manager) pause(ctx context.Context, err error) bool {
	wait, again := m.crashes.next(time.Now())
	switch {
	case errors.Is(err, ErrRefused):
		m.giveUp(StateRefused, err)
		return false
	case !again:
		m.giveUp(StateQuarantined, err)
		return false
	}
	m.log.Error("plugin failed and will be started again", "error", err, "pause", wait)
	m.enter(StateBackoff, err)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		m.countRestart()
	case <-ctx.Done():
	}
	return true
}

func (m *Manager) giveUp(s State, err error) {
	m.log.Error("plugin will not be started again", "state", s, "error", err)
	m.enter(s, err)
	m.settleWith(fmt.Errorf("plugin %s: %s: %w", m.spec.Name, s, err))
}

// settleWith says for good whether the client ever ran.
func (m *Manager) settleWith(failure error) {
	m.settle.Do(func() {
		m.mu.Lock()
		m.failure = failure
		m.mu.Unlock()
		close(m.settled)
	})
}
