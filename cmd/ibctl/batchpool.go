package main

import (
	"context"
	"reflect"
	"slices"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// sessionPool keeps what questions one after the other have in common, such as
// the lines of a batch: the clients, which are started once, and the connection to
// ibctl serve. One goroutine uses it.
type sessionPool struct {
	batch *invocation // gives limits and log
	own   map[string]*ownSession
	conns map[string]*daemonConn // by --socket
}

func newSessionPool(batch *invocation) *sessionPool {
	return &sessionPool{batch: batch, own: map[string]*ownSession{}, conns: map[string]*daemonConn{}}
}

// open returns the session for the tree of a line, with its devices as they are
// now and the clients that it needs.
func (p *sessionPool) open(ctx context.Context, line *invocation, devices []rdma.Device, names []string) (session, error) {
	s, err := p.session(ctx, line)
	if err != nil {
		return nil, err
	}
	specs, err := line.specs(names)
	if err == nil {
		err = s.update(ctx, devices, specs)
	}
	if err != nil {
		p.drop(line.root)
		return nil, err
	}
	return lentSession{s}, nil
}

func (p *sessionPool) session(ctx context.Context, line *invocation) (*ownSession, error) {
	if s := p.own[line.root]; s != nil {
		if s.alive() {
			return s, nil
		}
		p.drop(line.root)
	}
	opened, err := p.batch.openOwnSession(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	p.own[line.root] = opened.(*ownSession)
	return p.own[line.root], nil
}

// drop closes a session that something is wrong with: the next line that needs
// one gets another.
func (p *sessionPool) drop(root string) {
	p.batch.printer().Warn(p.own[root].close()...)
	delete(p.own, root)
}

// close lets everything go.
func (p *sessionPool) close() {
	for root := range p.own {
		p.drop(root)
	}
	for socket := range p.conns {
		p.hangUp(socket)
	}
}

// hangUp ends the connection to an ibctl serve; it may have ended itself.
func (p *sessionPool) hangUp(socket string) {
	if d := p.conns[socket]; d != nil {
		_ = d.Close()
	}
	delete(p.conns, socket)
}

// lentSession is one that outlives the verb.
type lentSession struct{ session }

// close implements session. What goes wrong in the end is told at the end of the
// batch.
func (lentSession) close() []rdma.Warning { return nil }

// alive tells whether all plugins run.
func (s *ownSession) alive() bool {
	return !slices.ContainsFunc(s.plugins, func(p *supervisor.Plugin) bool {
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	})
}

// update makes devices what the registry knows of them, and starts the clients
// that do not run yet. Devices that nobody asks about stay as they are.
func (s *ownSession) update(ctx context.Context, devices []rdma.Device, specs []supervisor.Spec) error {
	for _, d := range devices {
		if err := s.updateDevice(ctx, d); err != nil {
			return err
		}
	}
	for _, spec := range specs {
		if slices.ContainsFunc(s.plugins, func(p *supervisor.Plugin) bool { return p.Name() == spec.Name }) {
			continue
		}
		if err := s.start(ctx, spec); err != nil {
			return err
		}
	}
	return nil
}

func (s *ownSession) updateDevice(ctx context.Context, d rdma.Device) error {
	var same *core.ID
	for id, known := range s.devices {
		switch {
		case s.isSame(id, d):
			same = &id
		case known.Name == d.Name || known.Index == d.Index && d.Index.IsKnown():
			delete(s.devices, id)
			delete(s.drained, id)
			if err := s.registry.UnregisterDevice(ctx, id); err != nil {
				return err
			}
		}
	}
	if same == nil {
		return s.register(ctx, d)
	}
	return s.refresh(ctx, *same, d)
}

// isSame tells whether a device is the one that is registered, as it is to be. One
// that has gone and left its name is not, nor one that went out of service or
// came back.
func (s *ownSession) isSame(id core.ID, d rdma.Device) bool {
	known := s.devices[id]
	same := known.Index == d.Index && (d.Index.IsKnown() || known.Name == d.Name)
	return same && s.drained[id] == (outOfService(d) != nil)
}

// refresh passes on what is new about a device.
func (s *ownSession) refresh(ctx context.Context, id core.ID, d rdma.Device) error {
	known := s.devices[id]
	if known.Name != d.Name {
		if err := s.registry.Rename(ctx, id, d.Name); err != nil {
			return err
		}
	}
	s.devices[id] = d
	if reflect.DeepEqual(known, d) {
		return nil
	}
	return s.registry.Update(ctx, id, d)
}
