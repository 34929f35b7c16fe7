package core

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// Drain takes a registered device out of service: nobody finds or leases it any
// more, every client's Remove is called, the last one added first, the leases are
// waited for, and then look is called, which may be nil. If look returns nil the
// device is drained: it stays on the list with its name and index, and no client,
// not even one that is registered later, is added to it until [Registry.Undrain].
//
// If look fails, or ctx ends before the leases do, the device goes back into
// service: its clients are added again, in the order of their registration, and
// Drain returns the error after that. No lock and no turn is held while look
// runs; it must not drain or undrain the device.
//
// The kernel may remove a device at any time: [Registry.UnregisterDevice] works on
// one that is drained, or about to be. Drain then returns [ErrLeaving].
//
// A device that is drained is [ErrDrained], one that somebody else is draining
// [ErrDraining]. What clients' Removes return is in the event log alone: the
// clients are off the device either way. As in UnregisterDevice, the end of ctx
// does not cut a Remove short.
func (r *Registry) Drain(ctx context.Context, id ID, look func(context.Context) error) error {
	d, err := r.beginDrain(ctx, id)
	if err == nil {
		err = r.endDrain(ctx, d, r.drain(ctx, d, look))
	}
	if err != nil {
		return &Error{"drain", "device " + id.String(), err}
	}
	return nil
}

// beginDrain takes the device out of service; it is the caller's to say how that
// ends.
func (r *Registry) beginDrain(ctx context.Context, id ID) (*device, error) {
	if err := r.admissible(ctx, "a device"); err != nil {
		return nil, err
	}
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(r.devices.find(id))
	switch {
	case err != nil:
		return nil, err
	case d.service.state == draining:
		return nil, ErrDraining
	case d.service.state == drained:
		return nil, ErrDrained
	}
	d.service.stop(draining)
	d.service.since = time.Now()
	r.log.append(Event{Kind: DeviceDraining, Device: id, Name: d.info.Name})
	if d.recall != nil {
		d.recall(fmt.Errorf("device %v is %w", d.picture(), ErrDraining))
	}
	return d, nil
}

func (r *Registry) drain(ctx context.Context, d *device, look func(context.Context) error) error {
	r.takeOffAll(ctx, d)
	r.forgetFailures(d)
	select {
	case <-r.leasesOver(d):
	case <-d.ending:
		return ErrLeaving
	case <-ctx.Done():
		return fmt.Errorf("%w while waiting for %v", ctx.Err(), r.leaseholders(d))
	}
	switch {
	case isClosed(d.ending):
		return ErrLeaving
	case ctx.Err() != nil || look == nil:
		return ctx.Err()
	}
	return look(ctx)
}

// leasesOver returns a channel that is closed when no lease is held.
func (r *Registry) leasesOver(d *device) <-chan struct{} {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	if d.users.inside > 0 && !d.leaving() {
		r.log.append(Event{Kind: LeaseWait, Device: d.id, Name: d.info.Name, Holders: d.leaseholders()})
	}
	return d.service.whenIdle(d.users.inside)
}

func (r *Registry) leaseholders(d *device) []string {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	return d.leaseholders()
}

// leaseholders lists who holds leases, sorted.
func (d *device) leaseholders() []string { return slices.Sorted(maps.Keys(d.holders)) }

// endDrain makes the device drained, or puts it back into service.
func (r *Registry) endDrain(ctx context.Context, d *device, failed error) error {
	r.devicesMu.Lock()
	if d.leaving() {
		r.devicesMu.Unlock()
		return ErrLeaving
	}
	if failed == nil {
		d.service.state = drained
		r.log.append(Event{Kind: DeviceDrained, Device: d.id, Name: d.info.Name, Took: time.Since(d.service.since)})
		r.devicesMu.Unlock()
		return nil
	}
	r.putBack(d, failed)
	r.devicesMu.Unlock()
	r.addAll(ctx, d)
	return failed
}

// putBack puts d back into service. The caller holds devicesMu, and adds the
// clients.
func (r *Registry) putBack(d *device, why error) {
	d.service = inService()
	r.log.append(Event{Kind: DeviceUndrained, Device: d.id, Name: d.info.Name, Err: why})
}

// addAll returns when the clients are on d, or d is on its way out.
func (r *Registry) addAll(ctx context.Context, d *device) {
	select {
	case d.turn <- struct{}{}:
		defer d.yield()
		r.settle(ctx, d)
	case <-d.ending:
	}
}

// Undrain puts a drained device back into service, and returns when every
// registered client's Add has returned. A device that is in service is left
// alone. One that is being drained is [ErrDraining].
func (r *Registry) Undrain(ctx context.Context, id ID) error {
	d, err := r.undrain(ctx, id)
	if err != nil {
		return &Error{"undrain", "device " + id.String(), err}
	}
	r.addAll(ctx, d)
	return nil
}

func (r *Registry) undrain(ctx context.Context, id ID) (*device, error) {
	if err := r.admissible(ctx, "a device"); err != nil {
		return nil, err
	}
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(r.devices.find(id))
	switch {
	case err != nil:
		return nil, err
	case d.service.state == draining:
		return nil, ErrDraining
	case d.service.state == drained:
		r.putBack(d, nil)
	}
	return d, nil
}

// RegisterDrained is [Registry.RegisterDevice] for a device that was drained
// before this registry knew it: no client is added to it.
func (r *Registry) RegisterDrained(ctx context.Context, info rdma.Device) (ID, error) {
	return r.register(ctx, info, outOfService())
}

// Drained returns the registered devices that are out of service, those that are
// being drained included, in the order of registration.
func (r *Registry) Drained() []Device {
	return r.pictures(func(d *device) bool { return !d.serves() })
}
