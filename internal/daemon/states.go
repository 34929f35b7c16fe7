package daemon

import (
	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// entered notes that a client has come into a state. It is called by managers, in
// order for each of them.
func (c *clients) entered(s supervisor.Status) {
	e := journal.Event{Client: s.Name, Time: s.Since}
	switch s.State {
	case supervisor.StateRunning:
		e.Kind = journal.PluginStarted
	case supervisor.StateBackoff:
		e.Kind = journal.PluginFailed
	case supervisor.StateQuarantined, supervisor.StateRefused:
		e.Kind, e.Text = journal.PluginGivenUp, string(s.State)
	case supervisor.StateStopped:
		e.Kind = journal.PluginStopped
	default:
		return
	}
	if s.LastError != nil && (e.Kind == journal.PluginFailed || e.Kind == journal.PluginGivenUp) {
		e.Error = s.LastError.Error()
	}
	e.PID = c.noteState(s)
	c.journal.Append(e)
}

// noteState keeps what a client's end is told with, and returns the process that
// the state is about: the one that runs, or the one that ran before it.
func (c *clients) noteState(s supervisor.Status) (pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.find(s.Name)
	if l == nil {
		return s.PID
	}
	select {
	case <-l.tried:
	default:
		close(l.tried)
	}
	if s.PID != 0 {
		l.pid = s.PID
		return s.PID
	}
	pid, l.pid = l.pid, 0
	return pid
}

// reported notes what a client reports of a device.
func (c *clients) reported(client string, id core.ID, e plugin.Event) {
	out := journal.Event{
		Kind: journal.ClientReported, Time: e.Time, Client: client,
		Report: e.Kind, Text: e.Text, Attributes: e.Attributes,
	}
	out.SetDevice(id)
	if dev, err := c.registry.Lookup(id); err == nil {
		out.Device = dev.Info.Name
	}
	c.journal.Append(out)
}
