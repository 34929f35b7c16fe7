package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// Plugin is one running plugin process. It is a [core.Client]: what the registry
// asks of it is passed on to the process, and Remove returns when the process
// has let go or is dead.
type Plugin struct {
	sup    *Supervisor
	spec   Spec
	limits Limits
	log    *slog.Logger
	output *output

	proc    *process
	runner  *runner
	dialer  *dialer
	client  *goplugin.Client
	conn    *grpc.ClientConn
	rpc     pluginv1.PluginClient
	version string

	tasks sync.WaitGroup // the host stream and the watch over the connection

	mu            sync.Mutex
	conversations map[core.ID]*conversation
	closing       bool // no conversation may begin

	stop     sync.Once
	stopping atomic.Bool // the process has been told to exit
	stopErr  error
}

var (
	_ core.Client        = (*Plugin)(nil)
	_ core.ChangeHandler = (*Plugin)(nil)
)

// Name implements core.Client.
func (p *Plugin) Name() string { return p.spec.Name }

// Version is the plugin's own; empty if it has none.
func (p *Plugin) Version() string { return p.version }

// PID is the plugin's process id as ibctl sees it.
func (p *Plugin) PID() int { return p.proc.proc.Pid }

// Guarantee says how far the death of the process tree can be proven.
func (p *Plugin) Guarantee() Guarantee { return p.proc.tree.guarantee() }

// Done is closed when the process tree is dead.
func (p *Plugin) Done() <-chan struct{} { return p.proc.done }

// Kill ends the process tree at once, for the reason given. What waits for the
// plugin returns when the tree is dead; Stop must follow all the same.
func (p *Plugin) Kill(reason error) { p.proc.kill(reason) }

// Err returns why the process is dead, or nil while it is not. A process that
// died by itself is quoted.
func (p *Plugin) Err() error {
	select {
	case <-p.proc.done:
	default:
		return nil
	}
	why := p.proc.why()
	if words := p.output.lastWords(); words != "" && errors.Is(why, ErrExited) {
		return fmt.Errorf("%w: %s", why, abridged(words))
	}
	return why
}

// Conn is the connection for the client's own services. Unary calls without a
// deadline get [Limits.Call]; a stream lives as long as its context. Errors that
// carry an errno show it to errors.Is.
func (p *Plugin) Conn() grpc.ClientConnInterface { return p.conn }

// DeviceID returns id as the client's own services know it.
func (p *Plugin) DeviceID(id core.ID) *pluginv1.DeviceID {
	return pluginv1.NewDeviceID(p.sup.epoch, id)
}

// Add implements core.Client. An error means that the plugin does not drive dev:
// it said so, or was told to give up because ctx ended, or is dead.
func (p *Plugin) Add(ctx context.Context, dev core.Device) (any, error) {
	c, err := p.converse(dev)
	if err != nil {
		return nil, err
	}
	if err := c.add(ctx, dev); err != nil {
		p.finish(c)
		return nil, err
	}
	return nil, nil
}

// Changed implements [core.ChangeHandler].
func (p *Plugin) Changed(ctx context.Context, dev core.Device, _ any, what core.Change) error {
	c := p.conversation(dev.ID)
	if c == nil {
		return fmt.Errorf("plugin %s: change %s: %w", p.Name(), dev.Info.Name, errNotAttached)
	}
	return c.changed(ctx, dev, what)
}

// Remove implements core.Client. It returns when the plugin has acknowledged
// that it let go of dev, or else when its process tree is dead; the error then
// is a [*DeadError]. When ctx ends the plugin is not waited for any longer, but
// killed.
func (p *Plugin) Remove(ctx context.Context, dev core.Device, _ any) error {
	c := p.conversation(dev.ID)
	if c == nil {
		return nil
	}
	err := c.remove(ctx)
	p.finish(c)
	return err
}

// Vouch lets the plugin ask things in the name of dev, as if it drove dev, until
// end is called. It is for a conversation of somebody else's: the conformance
// kit's.
func (p *Plugin) Vouch(dev core.ID) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing || p.conversations[dev] != nil {
		return func() {}
	}
	c := newConversation(p, core.Device{ID: dev})
	close(c.ended)
	c.over = true
	c.yield()
	p.conversations[dev] = c
	return func() { p.finish(c) }
}

// Devices returns the ids of the devices that the plugin drives, in no order.
func (p *Plugin) Devices() []core.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]core.ID, 0, len(p.conversations))
	for id, c := range p.conversations {
		if c.attached.Load() {
			ids = append(ids, id)
		}
	}
	return ids
}

// converse begins the conversation about a device.
func (p *Plugin) converse(dev core.Device) (*conversation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return nil, fmt.Errorf("plugin %s: add %s: %w", p.Name(), dev.Info.Name, ErrNotRunning)
	case p.conversations[dev.ID] != nil:
		return nil, fmt.Errorf("plugin %s: add %s: already attached", p.Name(), dev.Info.Name)
	}
	c := newConversation(p, dev)
	p.conversations[dev.ID] = c
	return c, nil
}

func (p *Plugin) conversation(id core.ID) *conversation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conversations[id]
}

// finish forgets a conversation once nothing of it is left.
func (p *Plugin) finish(c *conversation) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conversations[c.id] == c {
		delete(p.conversations, c.id)
	}
}
