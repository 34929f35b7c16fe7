package roce

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// maxBehind is how many changes a watcher may be behind.
const maxBehind = 1 << 16

// subscriber is one who watches. What it is told waits in a list, so that nobody who
// reads tables ever waits for somebody who reads a stream.
type subscriber struct {
	targets []*rocev1.GIDWatchTarget // none: all
	present bool                     // wants what is there, too

	mu      sync.Mutex
	list    []*rocev1.GIDChange
	behind  bool          // the list was full
	waiting int           // keepers that have not read their tables yet
	wake    chan struct{} // holds one token while there is something
}

func newSubscriber(req *rocev1.WatchGIDsRequest) *subscriber {
	return &subscriber{targets: req.GetTargets(), present: req.GetIncludePresent(), wake: make(chan struct{}, 1)}
}

// watches tells whether it wants to know of the device.
func (s *subscriber) watches(device string) bool {
	return len(s.targets) == 0 || slices.ContainsFunc(s.targets, func(t *rocev1.GIDWatchTarget) bool { return t.GetName() == device })
}

// wants tells whether it wants to know of the port of a device that it watches.
func (s *subscriber) wants(device string, port uint32) bool {
	named := false
	for _, t := range s.targets {
		if t.GetName() != device {
			continue
		}
		if named = true; t.Port == nil || t.GetPort() == port {
			return true
		}
	}
	return !named // all, or a device that has been renamed since
}

// add puts messages on the list.
func (s *subscriber) add(messages ...*rocev1.GIDChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(messages...)
}

// append is add with mu held.
func (s *subscriber) append(messages ...*rocev1.GIDChange) {
	if s.behind = s.behind || len(s.list)+len(messages) > maxBehind; s.behind {
		s.list = nil
	} else {
		s.list = append(s.list, messages...)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) miss(device string, port uint32, text string) {
	s.add(&rocev1.GIDChange{Kind: kindMissed, TimeUnixNano: time.Now().UnixNano(), Device: device, Port: port, Text: text})
}

// await notes that n keepers have yet to read their tables.
func (s *subscriber) await(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = n
	s.readyIf(n == 0)
}

// arrived notes that one of them has, or never will.
func (s *subscriber) arrived() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	s.readyIf(s.waiting == 0)
}

// readyIf tells that all is known now. mu is held.
func (s *subscriber) readyIf(ready bool) {
	if ready {
		s.append(&rocev1.GIDChange{Kind: kindReady, TimeUnixNano: time.Now().UnixNano()})
	}
}

// next returns what there is to tell, once there is something.
func (s *subscriber) next(ctx context.Context) ([]*rocev1.GIDChange, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.wake:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind {
		return nil, status.Errorf(codes.ResourceExhausted, "more than %d changes were not read", maxBehind)
	}
	list := s.list
	s.list = nil
	return list, nil
}

// base tells all who watch what is there, and from then on only what changes. One who
// watched before the device came is told that the GIDs were added.
func (k *keeper) base(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.based = true
	for s, before := range k.subs {
		k.welcome(s, before)
	}
}

// join lets a subscriber in. before tells whether it came before the device.
func (k *keeper) join(s *subscriber, before bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		if !before {
			s.arrived()
		}
		return
	}
	k.subs[s] = before
	if k.based {
		k.welcome(s, before)
	}
}

// welcome tells a subscriber what is there. mu is held, and the tables are read.
func (k *keeper) welcome(s *subscriber, before bool) {
	kind := kindPresent
	if before {
		kind = kindAdded
	}
	if before || s.present {
		k.tellAll(s, kind, "")
	}
	if !before {
		s.arrived()
	}
}

// tellAll tells a subscriber the same of every GID. mu is held.
func (k *keeper) tellAll(s *subscriber, kind rocev1.GIDChangeKind, text string) {
	name, now := k.info().Name, time.Now().UnixNano()
	for _, p := range k.info().Ports {
		t := k.ports[p.Number]
		if t == nil || !s.wants(name, p.Number) {
			continue
		}
		for _, e := range t.entries {
			s.add(change{kind: kind, entry: e}.message(name, p.Number, now, text))
		}
	}
}

// leave takes a subscriber off.
func (k *keeper) leave(s *subscriber) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.subs, s)
}

// tell makes entries what is known of a port, and tells what is new. Before base
// nobody is told.
func (k *keeper) tell(t *portTable, entries []rdma.GIDEntry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changes := difference(t.entries, entries)
	t.entries = entries
	if !k.based {
		return
	}
	name, now := k.info().Name, time.Now().UnixNano()
	for s := range k.subs {
		if !s.wants(name, t.number) {
			continue
		}
		for _, c := range changes {
			s.add(c.message(name, t.number, now, ""))
		}
	}
}
