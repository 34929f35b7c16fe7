package core

import (
	"context"
	"slices"
)

// step is one call of one client.
type step int

const (
	stepNone step = iota
	stepRemove
	stepAdd
	stepTell
)

// settle makes calls until d needs none. The caller has d's turn.
//
// Whoever clears a mark, adds a client or notes a change does so first and
// waits for the turn then. So nothing is lost that comes after the last look:
// the one who brought it looks again.
func (r *Registry) settle(ctx context.Context, d *device) {
	for r.advance(ctx, d) {
	}
}

// advance makes the next call that d needs, if any. The caller has d's turn.
func (r *Registry) advance(ctx context.Context, d *device) bool {
	a, step := r.next(d)
	switch step {
	case stepRemove:
		r.remove(ctx, a)
	case stepAdd:
		r.add(ctx, a)
	case stepTell:
		r.tell(ctx, a)
	}
	return step != stepNone
}

// next decides what d needs most: clients off it, last one first, if it is
// leaving, drained, or they are leaving; clients onto it, first one first; then news. It notes
// the decision before anybody is called, so that all who look see it. The
// caller has d's turn.
func (r *Registry) next(d *device) (*attachment, step) {
	closed := r.deviceClosed(d)

	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	for _, a := range slices.Backward(d.attached) {
		if closed || a.client.leaving() {
			a.enter(AttachRemoving)
			return a, stepRemove
		}
	}
	if closed {
		return nil, stepNone
	}
	if c := r.newcomer(d); c != nil {
		return c.attach(d), stepAdd
	}
	for _, a := range d.attached {
		if a.pending != 0 {
			return a, stepTell
		}
	}
	return nil, stepNone
}

// deviceClosed tells whether no client is to be on d.
func (r *Registry) deviceClosed(d *device) bool {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	return d.leaving() || !d.serves()
}

// newcomer returns the first registered client that is not on d, and did not
// fail to be. The caller holds clientsMu.
func (r *Registry) newcomer(d *device) *client {
	for _, c := range r.clients {
		if c.attachments[d] == nil && !c.leaving() {
			return c
		}
	}
	return nil
}

// attach counts a new attachment in. The caller holds clientsMu, and knows that
// c is registered.
func (c *client) attach(d *device) *attachment {
	a := &attachment{client: c, device: d, gone: make(chan struct{})}
	a.enter(AttachAdding)
	c.users.enter()
	c.attachments[d] = a
	return a
}
