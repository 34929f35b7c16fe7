package core

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// RegisterDevice puts a device on the list, visible to all from then on, and
// returns when every registered client's Add has returned. A client whose Add
// fails is not attached, which is no failure of the registration: see
// [Registry.Attachments] and the event log.
//
// A registered device of the same name or index is [ErrExists]. If it is
// leaving, RegisterDevice waits until it is gone: the kernel reuses names at
// once, the registry does not.
//
// If ctx ends before the last Add has returned, or the device is unregistered
// by then, the registration is undone, in the way of
// [Registry.UnregisterDevice], and RegisterDevice returns after that with the
// error of ctx or [ErrLeaving].
func (r *Registry) RegisterDevice(ctx context.Context, info rdma.Device) (ID, error) {
	return r.register(ctx, info, inService())
}

// register puts a device on the list, in service or not.
func (r *Registry) register(ctx context.Context, info rdma.Device, s service) (ID, error) {
	d, err := r.reserve(ctx, info, s)
	if err != nil {
		return ID{}, &Error{"register", "device " + info.Name, err}
	}
	if r.enable(ctx, d) {
		return d.id, nil
	}
	removes := r.retireDevice(ctx, d)
	return ID{}, &Error{"register", "device " + info.Name, overtaken(ctx, removes)}
}

// reserve takes the name and index, waiting for a device that leaves them. The
// device it returns is registered, and its turn is taken.
func (r *Registry) reserve(ctx context.Context, info rdma.Device, s service) (*device, error) {
	if err := r.admissible(ctx, info.Name); err != nil {
		return nil, err
	}
	for {
		d, obstacle, err := r.tryReserve(info, s)
		if obstacle == nil {
			return d, err
		}
		select {
		case <-obstacle.gone:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w while waiting for %v to leave", ctx.Err(), obstacle.id)
		}
	}
}

func (r *Registry) tryReserve(info rdma.Device, s service) (d, obstacle *device, err error) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	if obstacle, err = r.devices.obstacle(info.Name, info.Index); obstacle != nil || err != nil {
		return nil, obstacle, err
	}
	d = r.devices.insert(info)
	d.service = s
	d.turn <- struct{}{}
	r.log.append(Event{Kind: DeviceArrived, Device: d.id, Name: info.Name})
	if s.drained() {
		r.log.append(Event{Kind: DeviceDrained, Device: d.id, Name: info.Name})
	}
	return d, nil, nil
}

// enable adds the clients and gives up the turn. It tells whether the device is
// registered for good: once ctx has ended, it is leaving.
func (r *Registry) enable(ctx context.Context, d *device) bool {
	defer d.yield()
	stop := onEnd(ctx, func() { r.clearDevice(d) })
	r.settle(ctx, d)
	stop()

	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	if d.leaving() {
		return false
	}
	r.log.append(Event{Kind: DeviceRegistered, Device: d.id, Name: d.info.Name, Took: time.Since(d.since)})
	return true
}

// RegisterClient puts a client on the list, after those already there, and
// returns when its Add has returned for every registered device. An Add that
// fails is no failure of the registration. Devices are served in parallel, see
// [Options].
//
// A registered client of the same name is [ErrExists]; one that is leaving is
// waited for. What is said of ctx and of unregistering at
// [Registry.RegisterDevice] holds here too.
func (r *Registry) RegisterClient(ctx context.Context, impl Client) error {
	name := impl.Name()
	c, err := r.enroll(ctx, impl, name)
	if err != nil {
		return &Error{"register", "client " + name, err}
	}
	if r.introduce(ctx, c) {
		return nil
	}
	removes := r.retireClient(ctx, c)
	return &Error{"register", "client " + name, overtaken(ctx, removes)}
}

// enroll puts the client on the list, waiting for one that leaves its name.
func (r *Registry) enroll(ctx context.Context, impl Client, name string) (*client, error) {
	if err := r.admissible(ctx, name); err != nil {
		return nil, err
	}
	for {
		c, obstacle, err := r.tryEnroll(impl, name)
		if obstacle == nil {
			return c, err
		}
		select {
		case <-obstacle.gone:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w while waiting for its predecessor to leave", ctx.Err())
		}
	}
}

func (r *Registry) tryEnroll(impl Client, name string) (c, obstacle *client, err error) {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	if old := r.client(name); old != nil {
		if old.leaving() {
			return nil, old, nil
		}
		return nil, nil, ErrExists
	}
	c = &client{impl: impl, name: name, tenure: newTenure(), attachments: map[*device]*attachment{}}
	c.handler, _ = impl.(ChangeHandler)
	r.clients = append(r.clients, c)
	r.log.append(Event{Kind: ClientArrived, Client: name})
	return c, nil, nil
}

// introduce adds the client to the devices that were there first; those that
// come later look for it themselves. It tells whether the client is registered
// for good.
func (r *Registry) introduce(ctx context.Context, c *client) bool {
	stop := onEnd(ctx, func() { r.clearClient(c) })
	inParallel(r.parallel, r.registered(), func(d *device) {
		select {
		case d.turn <- struct{}{}:
			defer d.yield()
			r.settle(ctx, d)
		case <-d.ending:
		case <-c.ending:
		}
	})
	stop()

	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	if c.leaving() {
		return false
	}
	r.log.append(Event{Kind: ClientRegistered, Client: c.name, Took: time.Since(c.since)})
	return true
}

// admissible refuses what no registration and no change may be.
func (r *Registry) admissible(ctx context.Context, name string) error {
	switch {
	case r.inCallback(ctx):
		return ErrInCallback
	case name == "":
		return fmt.Errorf("%w: no name", ErrInvalid)
	}
	return ctx.Err()
}

// overtaken says why a registration was undone, and what Removes said to that.
func overtaken(ctx context.Context, removes error) error {
	why := cmp.Or(ctx.Err(), ErrLeaving)
	if removes == nil {
		return why
	}
	return fmt.Errorf("%w; %w", why, removes)
}

// inParallel does something for every item, for up to limit at once, one of them
// in the caller's goroutine. It returns when all are done.
func inParallel[T any](limit int, items []T, do func(T)) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1); i <= int64(len(items)); i = next.Add(1) {
			do(items[i-1])
		}
	}
	var group sync.WaitGroup
	for range min(limit, len(items)) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
}
