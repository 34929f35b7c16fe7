package roce

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/rtevent"
)

// concern tells whether something that happened may concern a port.
type concern func(p rdma.Port, table []rdma.GIDEntry) bool

// anyPort is concerned by everything.
func anyPort(rdma.Port, []rdma.GIDEntry) bool { return true }

// ears hear what happens to interfaces and addresses, and poke the hub.
type ears struct {
	hub      *hub
	topology topology
	cancel   context.CancelFunc
	working  sync.WaitGroup
}

// retryAfter is how long ears wait before they listen anew after an error.
const retryAfter = time.Second

// listen returns when events are heard. Close must follow.
func listen(h *hub) (io.Closer, error) {
	l, err := rtevent.Listen(rtevent.Everything)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &ears{hub: h, cancel: cancel}
	e.topology.learn()
	e.working.Go(func() { e.run(ctx, l) })
	return e, nil
}

// Close implements io.Closer. When it returns, they hear no more.
func (e *ears) Close() error {
	e.cancel()
	e.working.Wait()
	return nil
}

func (e *ears) run(ctx context.Context, l *rtevent.Listener) {
	for ctx.Err() == nil {
		err := e.hear(ctx, l)
		l.Close()
		if ctx.Err() != nil {
			return
		}
		e.hub.missed("events of network interfaces can't be received: " + err.Error())
		for l = nil; l == nil; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryAfter):
			}
			l, _ = rtevent.Listen(rtevent.Everything)
		}
		e.topology.learn()
		e.hub.poke(anyPort)
	}
}

// hear receives until it can't.
func (e *ears) hear(ctx context.Context, l *rtevent.Listener) error {
	for {
		events, err := l.Receive(ctx)
		switch {
		case errors.Is(err, rtevent.ErrLost), errors.Is(err, rtevent.ErrMalformed):
			e.topology.learn()
			e.hub.missed("events of network interfaces were lost: " + err.Error())
		case err != nil:
			return err
		}
		for _, event := range events {
			e.hub.poke(e.topology.note(event))
		}
	}
}

// topology is which interface lies on which, as far as this namespace shows.
type topology struct {
	links map[uint32]rtevent.Link
	ports map[uint32][]uint32 // of a bond or bridge
	above map[uint32][]uint32 // made on an interface
	known bool                // ports and above are up to date
}

// learn asks for all interfaces. Where that fails, every event concerns every port.
func (t *topology) learn() {
	links, err := rtevent.Links()
	if err != nil {
		t.links = nil
		return
	}
	t.links, t.known = map[uint32]rtevent.Link{}, false
	for _, l := range links {
		t.links[l.Index] = l
	}
}

// note takes an event, and returns whom it concerns: ports of the interface, and of
// those below and above it as they were and as they are.
func (t *topology) note(e rtevent.Event) concern {
	if t.links == nil || e.Elsewhere {
		return anyPort
	}
	near := t.near(e.Index, nil)
	switch old, had := t.links[e.Index]; {
	case e.Kind == rtevent.LinkGone:
		delete(t.links, e.Index)
		t.known = false
	case e.Kind == rtevent.LinkSet && (!had || old != e.Link):
		t.links[e.Index], t.known = e.Link, false
		near = t.near(e.Index, near)
		near.names[old.Name] = true // as the table may call it still
	}
	return near.concern
}

// neighbours are interfaces by index and name.
type neighbours struct {
	indices map[uint32]bool
	names   map[string]bool
	unclear bool // there may be others
}

// wellKnown are the kinds of interfaces of which an event tells all that they lie on. A vxlan
// or an HSR device has attributes of its own for that, and there may be others.
var wellKnown = []string{"", "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "bond", "team", "bridge", "vrf", "veth", "dummy", "tun", "ifb"}

// near adds an interface to all, and what lies below and above it.
func (t *topology) near(index uint32, all *neighbours) *neighbours {
	if all == nil {
		all = &neighbours{indices: map[uint32]bool{}, names: map[string]bool{}}
	}
	if !t.known {
		t.relate()
	}
	t.walk(index, all, map[uint32]bool{}, func(l rtevent.Link) []uint32 { return append(t.ports[l.Index], l.Lower) })
	t.walk(index, all, map[uint32]bool{}, func(l rtevent.Link) []uint32 { return append(t.above[l.Index], l.Master) })
	return all
}

func (t *topology) walk(index uint32, all *neighbours, seen map[uint32]bool, next func(rtevent.Link) []uint32) {
	l, there := t.links[index]
	if seen[index] || !there {
		return
	}
	seen[index] = true
	all.indices[index], all.names[l.Name] = true, true
	all.unclear = all.unclear || !slices.Contains(wellKnown, l.Kind)
	for _, other := range next(l) {
		t.walk(other, all, seen, next)
	}
}

// relate turns links around.
func (t *topology) relate() {
	t.ports, t.above, t.known = map[uint32][]uint32{}, map[uint32][]uint32{}, true
	for _, l := range t.links {
		if l.Master != 0 {
			t.ports[l.Master] = append(t.ports[l.Master], l.Index)
		}
		if l.Lower != 0 {
			t.above[l.Lower] = append(t.above[l.Lower], l.Index)
		}
	}
}

// concern implements [concern]. A port whose interface is not known may be of any.
func (n *neighbours) concern(p rdma.Port, table []rdma.GIDEntry) bool {
	index, known := p.NetdevIndex.Get()
	if p.LinkLayer == rdma.LinkLayerInfiniBand && p.Netdev == "" {
		return false
	}
	if !known || n.unclear || n.indices[index] || n.names[p.Netdev] {
		return true
	}
	for _, e := range table {
		if n.names[e.Netdev] {
			return true
		}
	}
	return false
}
