package daemon

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// clients are those that are loaded, in the order in which they were.
type clients struct {
	registry   *core.Registry
	supervisor *supervisor.Supervisor
	journal    *journal.Journal
	unloading  sync.WaitGroup

	mu     sync.Mutex
	list   []*loaded
	closed bool
}

// loaded is a client from its loading to the end of its process.
type loaded struct {
	name    string
	manager *supervisor.Manager
	// tried is closed when the first process runs, or the first attempt has
	// failed; gone when the client is off all devices and has no process.
	tried, gone chan struct{}

	// clients.mu guards these.
	leaving bool
	pid     int // of the latest process, until its end is told
}

// load starts a client; it returns before the client runs. One that is on its way
// out is waited for; one that is loaded is returned beside the error that says so.
func (c *clients) load(ctx context.Context, spec supervisor.Spec) (*loaded, error) {
	for {
		l, leaving, err := c.tryLoad(spec)
		if leaving == nil {
			return l, err
		}
		select {
		case <-leaving.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *clients) tryLoad(spec supervisor.Spec) (l, leaving *loaded, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, errStopping()
	}
	if old := c.find(spec.Name); old != nil {
		if old.leaving {
			return nil, old, nil
		}
		return old, nil, refusef(codes.AlreadyExists, 0, "client %s is loaded", spec.Name)
	}
	l = &loaded{name: spec.Name, tried: make(chan struct{}), gone: make(chan struct{})}
	// Whoever hears of its states finds it on the list: they wait for mu.
	l.manager, err = c.supervisor.Manage(c.registry, spec)
	if err != nil {
		return nil, nil, err
	}
	c.list = append(c.list, l)
	return l, nil, nil
}

func errStopping() error {
	return refusef(codes.Unavailable, 0, "ibctl serve is stopping")
}

// unload takes a client off all devices and ends its process. It returns when
// that is done or ctx ends; it is done in any case.
func (c *clients) unload(ctx context.Context, name string) error {
	l := c.expel(name)
	if l == nil {
		return notLoaded(name)
	}
	select {
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func notLoaded(name string) error { return refusef(codes.NotFound, 0, "client %s is not loaded", name) }

// expel begins to unload a client, unless that is under way.
func (c *clients) expel(name string) *loaded {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.find(name)
	if l != nil && !l.leaving {
		l.leaving = true
		c.unloading.Go(func() { c.retire(context.Background(), l) })
	}
	return l
}

// retire stops a client and takes it off the list.
func (c *clients) retire(hasten context.Context, l *loaded) {
	l.manager.Stop(hasten)
	c.mu.Lock()
	c.list = slices.DeleteFunc(c.list, func(other *loaded) bool { return other == l })
	c.mu.Unlock()
	close(l.gone)
}

// close unloads all clients, the last one loaded first; it does not wait for
// them any more once hasten has ended. None can be loaded any more.
func (c *clients) close(hasten context.Context) {
	c.mu.Lock()
	c.closed = true
	all := slices.Clone(c.list)
	c.mu.Unlock()
	for _, l := range slices.Backward(all) {
		c.mu.Lock()
		mine := !l.leaving
		l.leaving = true
		c.mu.Unlock()
		if mine {
			c.retire(hasten, l)
		} else {
			l.manager.Stop(hasten)
		}
	}
	c.unloading.Wait()
}

// find returns the client of that name. The caller holds mu.
func (c *clients) find(name string) *loaded {
	i := slices.IndexFunc(c.list, func(l *loaded) bool { return l.name == name })
	if i < 0 {
		return nil
	}
	return c.list[i]
}

// managers returns those of all clients, in order.
func (c *clients) managers() []*supervisor.Manager {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*supervisor.Manager, len(c.list))
	for i, l := range c.list {
		list[i] = l.manager
	}
	return list
}

// conn returns the connection to a client, whichever process serves it.
func (c *clients) conn(name string) (grpc.ClientConnInterface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.find(name); l != nil {
		return l.manager.Conn(), nil
	}
	return nil, notLoaded(name)
}

// pid returns that of a client's process; 0 where it has none.
func (c *clients) pid(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.find(name); l != nil {
		return l.pid
	}
	return 0
}
