package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/roce"
)

// errNoPlugins means that this process cannot run plugins at all.
var errNoPlugins = errors.New("cannot run plugins")

// ownSession is the registry of one command: the devices that it is about, and
// the clients that it needs, each in its plugin process. When it is closed, every
// client has been removed from every device, and no process is left.
type ownSession struct {
	registry   *core.Registry
	supervisor *supervisor.Supervisor
	log        *slog.Logger
	starting   map[string]*starting // by the client's name, until it is waited for
	plugins    []*supervisor.Plugin
	devices    map[core.ID]rdma.Device
	drained    map[core.ID]bool // registered as one that is out of service
}

// openOwnSession registers devices, and then the clients called names.
func (inv *invocation) openOwnSession(ctx context.Context, devices []rdma.Device, names []string) (session, error) {
	specs, err := inv.specs(names)
	if err != nil {
		return nil, err
	}
	s := inv.early
	inv.early = nil
	if s == nil {
		if s, err = inv.newOwnSession(); err != nil {
			return nil, err
		}
	}
	if err := s.fill(ctx, devices, specs); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newOwnSession returns one with nothing in it.
func (inv *invocation) newOwnSession() (*ownSession, error) {
	log := inv.log()
	sup, err := supervisor.New(supervisor.Config{Limits: inv.pluginLimits(), Log: log})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPlugins, err)
	}
	return &ownSession{
		registry: core.NewRegistry(core.Options{}), supervisor: sup, log: log,
		starting: map[string]*starting{}, devices: map[core.ID]rdma.Device{}, drained: map[core.ID]bool{},
	}, nil
}

// fill registers devices before clients: each client then sees them all at once.
func (s *ownSession) fill(ctx context.Context, devices []rdma.Device, specs []supervisor.Spec) error {
	s.begin(specs)
	for _, d := range devices {
		if err := s.register(ctx, d); err != nil {
			return err
		}
	}
	for _, spec := range specs {
		if err := s.start(ctx, spec); err != nil {
			return err
		}
	}
	return nil
}

func (s *ownSession) register(ctx context.Context, d rdma.Device) error {
	register, out := s.registry.RegisterDevice, outOfService(d) != nil
	if out {
		register = s.registry.RegisterDrained
	}
	id, err := register(ctx, d)
	if err == nil {
		s.devices[id], s.drained[id] = d, out
	}
	return err
}

// begin begins to start clients, if that has not been done yet.
func (s *ownSession) begin(specs []supervisor.Spec) {
	for _, spec := range specs {
		if s.starting[spec.Name] == nil {
			s.starting[spec.Name] = begin(s.supervisor, spec)
		}
	}
}

// start waits for a client that has begun to start, or does so now, and registers it.
func (s *ownSession) start(ctx context.Context, spec supervisor.Spec) error {
	s.begin([]supervisor.Spec{spec})
	p, err := s.starting[spec.Name].wait(ctx)
	delete(s.starting, spec.Name)
	if err != nil {
		return err
	}
	s.plugins = append(s.plugins, p)
	return s.registry.RegisterClient(ctx, p)
}

// device implements session.
func (s *ownSession) device(client string, d rdma.Device) (*pluginv1.DeviceID, error) {
	for _, a := range s.registry.Attachments() {
		if a.Client != client || s.devices[a.Device].Name != d.Name {
			continue
		}
		if a.State != core.AttachAttached {
			return nil, a.Err
		}
		return s.plugin(client).DeviceID(a.Device), nil
	}
	return nil, notAttached(client, d)
}

// conn implements session.
func (s *ownSession) conn(client string) grpc.ClientConnInterface { return s.plugin(client).Conn() }

// plugin returns the process that serves the client.
func (s *ownSession) plugin(client string) *supervisor.Plugin {
	i := slices.IndexFunc(s.plugins, func(p *supervisor.Plugin) bool { return p.Name() == client })
	return s.plugins[i]
}

// close implements session. It takes everything back in reverse order, whatever has become of the
// command. What went wrong is told as warnings: it changes no result.
func (s *ownSession) close() (warnings []rdma.Warning) {
	ctx := context.Background()
	s.abortStarting()
	for i := len(s.plugins) - 1; i >= 0; i-- {
		p := s.plugins[i]
		if err := s.registry.UnregisterClient(ctx, p.Name()); err != nil {
			warnings = append(warnings, rdma.Warning{Object: "client " + p.Name(), Op: "remove from devices", Err: err})
		}
		if err := p.Stop(ctx); err != nil {
			warnings = append(warnings, rdma.Warning{Object: "client " + p.Name(), Op: "stop", Err: err})
		}
	}
	for id := range s.devices {
		if err := s.registry.UnregisterDevice(ctx, id); err != nil {
			warnings = append(warnings, rdma.Warning{Object: s.devices[id].Name, Op: "unregister", Err: err})
		}
	}
	s.supervisor.Close()
	if s.log.Enabled(ctx, slog.LevelDebug) {
		trace(s.log, s.registry)
	}
	return warnings
}

// abortStarting ends the plugins that nobody has come to need.
func (s *ownSession) abortStarting() {
	for _, p := range s.starting {
		p.abort(errNotNeeded)
	}
	for _, p := range s.starting {
		<-p.done
		if p.plugin != nil {
			p.plugin.Stop(context.Background()) //nolint:errcheck // it has done nothing
		}
	}
}

// specs says how to start the built-in clients called names.
func (inv *invocation) specs(names []string) ([]supervisor.Spec, error) {
	root, err := filepath.Abs(inv.root) // a plugin has a working directory of its own
	if err != nil {
		return nil, err
	}
	var specs []supervisor.Spec
	for _, name := range names {
		spec := supervisor.Builtin(name)
		switch {
		case name == roce.Name && inv.root != "":
			spec.Config = mustJSON(roce.Config{Root: root})
		case name == cm.Name && inv.root != "":
			spec.Config = mustJSON(cm.Config{Root: root})
		}
		spec.HostPIDs = name == cm.Name // it says whose the CM ids are
		specs = append(specs, spec)
	}
	return specs, nil
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of strings
	}
	return text
}

// pluginLimits are those of a command that somebody waits for: a plugin that
// does not let go in time is killed sooner than under a daemon. Everything but
// letting go ends with --timeout by itself.
func (inv *invocation) pluginLimits() supervisor.Limits {
	limits := supervisor.Limits{Remove: 5 * time.Second, Shutdown: 2 * time.Second}
	if t := inv.timeout; t > 0 {
		limits.Remove, limits.Shutdown = min(limits.Remove, t), min(limits.Shutdown, t)
	}
	return limits
}

// log is where plugins' own words go, and what became of them: with -v to
// standard error.
func (inv *invocation) log() *slog.Logger {
	if !inv.verbose {
		return slog.New(slog.DiscardHandler)
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	if inv.format.Structured() {
		return slog.New(slog.NewJSONHandler(inv.stderr, options))
	}
	return slog.New(slog.NewTextHandler(inv.stderr, options))
}

// clients implements session.
func (s *ownSession) clients() (items []clientItem, warnings []rdma.Warning) {
	for _, p := range s.plugins {
		item := clientItem{
			Name: p.Name(), State: supervisor.StateRunning, Version: p.Version(), PID: p.PID(),
			Guarantee: p.Guarantee().String(), Lost: p.Guarantee().Lost(), Devices: []attachedDevice{},
		}
		for _, a := range s.registry.Attachments() {
			name := s.devices[a.Device].Name
			switch {
			case a.Client != p.Name():
			case a.State == core.AttachAttached:
				item.Devices = append(item.Devices, newAttachedDevice(name, a.Device))
			default:
				warnings = append(warnings, rdma.Warning{Object: name, Op: "add client " + p.Name(), Err: a.Err})
			}
		}
		slices.SortFunc(item.Devices, byName)
		items = append(items, item)
	}
	return items, warnings
}
