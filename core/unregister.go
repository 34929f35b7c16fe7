package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// UnregisterDevice takes a device off the list: it clears its mark, so that
// nobody finds or leases it any more, calls every attached client's Remove, the
// last one added first, waits for the leases, and releases name and index.
//
// It returns when all that is over, whoever began it: every one of several
// callers returns after the end. The end of ctx changes nothing, not even if it
// came before the call; ctx only lends its values to the clients. A wait that
// could be given up would promise nothing, so what bounds it are the clients
// and the holders of leases; the event log says whom it waits for.
//
// The device is still there only if the error is [ErrInCallback]. [ErrStale]
// says that it was gone before, [ErrNotRegistered] that it never was. Any other
// error is what clients' Removes returned: the device is gone.
func (r *Registry) UnregisterDevice(ctx context.Context, id ID) error {
	if r.inCallback(ctx) {
		return &Error{"unregister", "device " + id.String(), ErrInCallback}
	}
	d, err := r.find(id)
	if err != nil {
		return &Error{"unregister", "device " + id.String(), err}
	}
	return r.retireDevice(ctx, d)
}

// retireDevice sees a device off. Any number of callers may do so at once: each
// does what is left to be done, and none returns before the end.
func (r *Registry) retireDevice(ctx context.Context, d *device) error {
	r.clearDevice(d)
	r.takeOffAll(ctx, d)
	r.awaitLeases(d)
	r.forgetFailures(d)
	return r.freeDevice(d)
}

// clearDevice clears the mark "registered". From here on there is no way back.
func (r *Registry) clearDevice(d *device) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	if !d.leave() {
		return
	}
	d.service.end()
	r.log.append(Event{Kind: DeviceLeaving, Device: d.id, Name: d.info.Name})
	if d.recall != nil {
		d.recall(fmt.Errorf("device %v is %w", d.picture(), ErrLeaving))
	}
}

// takeOffAll returns when no client is on d, which is leaving or out of service.
func (r *Registry) takeOffAll(ctx context.Context, d *device) {
	select {
	case d.turn <- struct{}{}:
		defer d.yield()
		r.settle(ctx, d)
	case <-d.gone:
	}
}

// awaitLeases returns when no lease is held. There are no new ones.
func (r *Registry) awaitLeases(d *device) {
	r.devicesMu.Lock()
	if d.users.inside > 0 && !d.awaited {
		d.awaited = true
		r.log.append(Event{Kind: LeaseWait, Device: d.id, Name: d.info.Name,
			Holders: d.leaseholders()})
	}
	r.devicesMu.Unlock()
	<-d.users.empty
}

// forgetFailures drops what was kept to show which clients could not be added.
func (r *Registry) forgetFailures(d *device) {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	for _, c := range r.clients {
		delete(c.attachments, d)
	}
}

// freeDevice announces the end and releases name and index, once for all
// callers.
func (r *Registry) freeDevice(d *device) error {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	if d.finish() {
		r.log.append(Event{Kind: DeviceUnregistered, Device: d.id, Name: d.info.Name, Took: time.Since(d.since)})
		r.devices.remove(d)
	}
	return d.verdict()
}

// UnregisterClient takes a client off the list and off every device, whether
// registered or leaving, and waits for all its Removes. Devices are served in
// parallel, see [Options].
//
// When it returns, the registry will not call the client again; if the client
// has a process, it is time to end it. What is said of concurrent callers, of
// ctx and of errors at [Registry.UnregisterDevice] holds here too, except that a
// client that is gone is just [ErrNotRegistered], or a later one of that name.
func (r *Registry) UnregisterClient(ctx context.Context, name string) error {
	c, err := r.expelled(ctx, name)
	if err != nil {
		return &Error{"unregister", "client " + name, err}
	}
	return r.retireClient(ctx, c)
}

func (r *Registry) expelled(ctx context.Context, name string) (*client, error) {
	if r.inCallback(ctx) {
		return nil, ErrInCallback
	}
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	if c := r.client(name); c != nil {
		return c, nil
	}
	return nil, ErrNotRegistered
}

// retireClient sees a client off, as retireDevice does a device.
func (r *Registry) retireClient(ctx context.Context, c *client) error {
	inParallel(r.parallel, r.clearClient(c), func(a *attachment) { r.takeOff(ctx, a) })
	<-c.users.empty
	return r.freeClient(c)
}

// takeOff returns when a, whose client is leaving, is gone, at its own hands or
// another's. What else the device needs is not waited for, before or after:
// other clients may take their time.
func (r *Registry) takeOff(ctx context.Context, a *attachment) {
	select {
	case a.device.turn <- struct{}{}:
		defer a.device.yield()
	case <-a.gone:
		return
	}
	for !isClosed(a.gone) && r.advance(ctx, a.device) {
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// clearClient clears the mark "registered" and returns the attachments that are
// left. There are no new ones.
func (r *Registry) clearClient(c *client) []*attachment {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	if c.leave() {
		r.log.append(Event{Kind: ClientLeaving, Client: c.name})
		c.recallAll(fmt.Errorf("client %s is %w", c.name, ErrLeaving))
	}
	left := slices.Collect(maps.Values(c.attachments))
	slices.SortFunc(left, func(a, b *attachment) int {
		return cmp.Compare(b.device.id.Generation, a.device.id.Generation)
	})
	return left
}

func (c *client) recallAll(cause error) {
	for _, a := range c.attachments {
		if a.recall != nil {
			a.recall(cause)
		}
	}
}

// freeClient announces the end and releases the name, once for all callers.
func (r *Registry) freeClient(c *client) error {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	if c.finish() {
		r.log.append(Event{Kind: ClientUnregistered, Client: c.name, Took: time.Since(c.since)})
		r.clients = slices.DeleteFunc(r.clients, func(other *client) bool { return other == c })
	}
	return c.verdict()
}
