package supervisor

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// State is where a managed client stands.
type State string

// The states of a Manager. From Quarantined, Refused and Stopped only a new
// Manager leads on.
const (
	StateStarting    State = "starting"
	StateRunning     State = "running"
	StateBackoff     State = "backoff"     // failed, to be started again
	StateQuarantined State = "quarantined" // failed too often
	StateRefused     State = "refused"     // the executable may not be run
	StateStopping    State = "stopping"
	StateStopped     State = "stopped"
)

// Status is a picture of a managed client, for ibctl client list.
type Status struct {
	Name      string
	State     State
	Since     time.Time // when the state was entered
	Version   string    // the plugin's own; empty while it does not run
	PID       int       // 0 while it does not run
	Guarantee Guarantee // of the running process
	Restarts  int
	LastError error // the latest failure; stays after a restart
	Devices   []core.ID
}

// Status returns the present one.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	if m.plugin != nil {
		s.Version = m.plugin.Version()
		s.PID = m.plugin.PID()
		s.Guarantee = m.plugin.Guarantee()
		s.Devices = m.plugin.Devices()
	}
	return s
}

// enter changes the state; a failure is kept.
func (m *Manager) enter(s State, failure error) {
	m.mu.Lock()
	m.status.State, m.status.Since = s, time.Now()
	if failure != nil {
		m.status.LastError = failure
	}
	m.mu.Unlock()
	if hear := m.sup.config.OnChange; hear != nil {
		hear(m.Status())
	}
}

func (m *Manager) countRestart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.Restarts++
}

// adopt makes p the plugin that the manager speaks of; nil for none.
func (m *Manager) adopt(p *Plugin) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plugin = p
	if p != nil && m.hastened != nil {
		p.Kill(m.hastened)
	}
}

// DeviceID returns id as the client's own services know it.
func (m *Manager) DeviceID(id core.ID) *pluginv1.DeviceID {
	return pluginv1.NewDeviceID(m.sup.epoch, id)
}

// Conn is the connection to whichever process serves the client at the time of a
// call; see [Plugin.Conn]. While there is none, calls fail with ErrNotRunning.
func (m *Manager) Conn() grpc.ClientConnInterface { return managedConn{m} }

type managedConn struct{ m *Manager }

// Invoke implements grpc.ClientConnInterface.
func (c managedConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	conn, err := c.m.conn()
	if err != nil {
		return err
	}
	return conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (c managedConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, err := c.m.conn()
	if err != nil {
		return nil, err
	}
	return conn.NewStream(ctx, desc, method, opts...)
}

func (m *Manager) conn() (grpc.ClientConnInterface, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.plugin == nil {
		return nil, &notRunningError{plugin: m.spec.Name, state: m.status.State, last: m.status.LastError}
	}
	return m.plugin.Conn(), nil
}
