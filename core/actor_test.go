package core

import (
	"context"
	"sync/atomic"

	"github.com/ibctl/ibctl/core/rdma"
)

// actor is a client whose every call is recorded and can be directed. A nil
// direction does nothing and succeeds.
type actor struct {
	h     *history
	name  string
	label string // name, and which registration of it
	deaf  bool   // no ChangeHandler

	add     func(ctx context.Context, dev Device) error
	added   func(h *handle, dev Device) // when add has succeeded
	remove  func(ctx context.Context, dev Device) error
	changed func(ctx context.Context, dev Device, what Change) error
}

// cast returns actors of these names, registered with w in that order.
func cast(w *witness, names ...string) []*actor {
	var actors []*actor
	for _, name := range names {
		a := w.actor(name)
		if err := w.RegisterClient(context.Background(), a); err != nil {
			panic(err)
		}
		actors = append(actors, a)
	}
	return actors
}

// actor returns one that is yet to be registered. Its label is its name: tests
// that use a name again label the actor themselves.
func (w *witness) actor(name string) *actor { return &actor{h: w.h, name: name, label: name} }

func (a *actor) asClient() Client {
	if a.deaf {
		return deafActor{a}
	}
	return a
}

// deafActor hides Changed.
type deafActor struct{ a *actor }

func (d deafActor) Name() string { return d.a.Name() }
func (d deafActor) Add(ctx context.Context, dev Device) (any, error) {
	return d.a.Add(ctx, dev)
}
func (d deafActor) Remove(ctx context.Context, dev Device, data any) error {
	return d.a.Remove(ctx, dev, data)
}

func labelOf(c Client) string {
	if d, ok := c.(deafActor); ok {
		return d.a.label
	}
	return c.(*actor).label
}

func (a *actor) Name() string { return a.name }

func (a *actor) Add(ctx context.Context, dev Device) (data any, err error) {
	end := a.h.begin(record{op: opAdd, client: a.label, id: dev.ID})
	defer func() { end(func(r *record) { r.err = err }) }()
	if a.add != nil {
		err = a.add(ctx, dev)
	}
	if err != nil {
		return nil, err
	}
	h := &handle{label: a.label}
	if a.added != nil {
		a.added(h, dev)
	}
	return h, nil
}

func (a *actor) Remove(ctx context.Context, dev Device, data any) (err error) {
	end := a.h.begin(record{op: opRemove, client: a.label, id: dev.ID})
	defer func() { end(func(r *record) { r.err = err }) }()
	if a.remove != nil {
		err = a.remove(ctx, dev)
	}
	data.(*handle).drop()
	return err
}

func (a *actor) Changed(ctx context.Context, dev Device, data any, what Change) (err error) {
	end := a.h.begin(record{op: opChanged, client: a.label, id: dev.ID, what: what})
	defer func() { end(func(r *record) { r.err = err }) }()
	if !data.(*handle).use() {
		panic("Changed after Remove")
	}
	if a.changed != nil {
		err = a.changed(ctx, dev, what)
	}
	return err
}

// handle stands for what a client holds of a device. It knows whether it was
// touched after the client's Remove had returned.
type handle struct {
	label   string
	dropped atomic.Bool
	misused atomic.Int64
}

// use touches the device, and tells whether that was allowed.
func (h *handle) use() bool {
	if h.dropped.Load() {
		h.misused.Add(1)
		return false
	}
	return true
}

func (h *handle) drop() { h.dropped.Store(true) }

// hca returns a device to register.
func hca(name string, index uint32) rdma.Device {
	return rdma.Device{Name: name, Index: rdma.Known(index), Ports: []rdma.Port{{Number: 1}}}
}

// pause is a place where a goroutine stops until it is let go. It must be made
// in the bubble that uses it.
type pause struct{ reached, free chan struct{} }

func newPause() *pause { return &pause{make(chan struct{}), make(chan struct{})} }

func (p *pause) stop() {
	close(p.reached)
	<-p.free
}

func (p *pause) letGo() { close(p.free) }

// task is a call in a goroutine of its own.
type task struct {
	done chan struct{}
	err  error
}

func start(f func() error) *task {
	t := &task{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.err = f()
	}()
	return t
}

func (t *task) returned() bool { return isClosed(t.done) }

// wait returns what the call returned.
func (t *task) wait() error {
	<-t.done
	return t.err
}
