package core

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ibctl/ibctl/core/rdma"
)

// Rename gives a registered device another name and tells the clients
// [ChangeName]. A registered device of that name is [ErrExists]; if it is
// leaving, Rename waits until it is gone, ctx ends, or the device to be renamed
// is leaving itself ([ErrLeaving]). Its old name is free at once.
//
// Once the name has changed Rename does not fail; it returns when the clients
// have been told, see [Registry.Notify].
func (r *Registry) Rename(ctx context.Context, id ID, name string) error {
	d, err := r.rename(ctx, id, name)
	if err != nil {
		return &Error{"rename", fmt.Sprintf("device %v to %s", id, name), err}
	}
	if d != nil {
		r.notify(ctx, d, ChangeName)
	}
	return nil
}

// rename returns the device if that made a difference.

func (r *Registry) rename(ctx context.Context, id ID, name string) (*device, error) {
	if err := r.admissible(ctx, name); err != nil {
		return nil, err
	}
	for {
		d, obstacle, err := r.tryRename(id, name)
		if obstacle == nil {
			return d, err
		}
		select {
		case <-obstacle.gone:
		case <-d.ending:
			return nil, ErrLeaving
		case <-ctx.Done():
			return nil, fmt.Errorf("%w while waiting for %v to leave", ctx.Err(), obstacle.id)
		}
	}
}

func (r *Registry) tryRename(id ID, name string) (d, obstacle *device, err error) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err = onList(r.devices.find(id))
	if err != nil || d.info.Name == name {
		return nil, nil, err
	}
	obstacle, err = r.devices.obstacle(name, rdma.Opt[uint32]{})
	if obstacle != nil || err != nil {
		return d, obstacle, err
	}
	old := d.info.Name
	r.devices.rename(d, name)
	r.log.append(Event{Kind: DeviceRenamed, Device: id, Name: name, OldName: old})
	return d, nil, nil
}

// Update replaces what is known of a registered device and, if that made a
// difference, tells the clients [ChangeInfo]; see [Registry.Notify]. The name
// and the index are the registry's own: other ones are [ErrInvalid].
func (r *Registry) Update(ctx context.Context, id ID, info rdma.Device) error {
	d, differs, err := r.update(ctx, id, info)
	if err != nil {
		return &Error{"update", "device " + id.String(), err}
	}
	if differs {
		r.notify(ctx, d, ChangeInfo)
	}
	return nil
}

func (r *Registry) update(ctx context.Context, id ID, info rdma.Device) (_ *device, differs bool, _ error) {
	if err := r.admissible(ctx, info.Name); err != nil {
		return nil, false, err
	}
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(r.devices.find(id))
	switch {
	case err != nil:
		return nil, false, err
	case info.Name != d.info.Name:
		return nil, false, fmt.Errorf("%w: it has the name %s, not %s", ErrInvalid, d.info.Name, info.Name)
	case info.Index != d.info.Index:
		return nil, false, fmt.Errorf("%w: it has another index", ErrInvalid)
	case reflect.DeepEqual(info, *d.info):
		return d, false, nil
	}
	d.setInfo(info)
	r.log.append(Event{Kind: DeviceChanged, Device: id, Name: info.Name, Change: ChangeInfo})
	return d, true, nil
}

// Notify tells the clients that drive a device, and are [ChangeHandler]s, that
// something about it may have changed. It returns when each of them has heard
// it, or is on its way off the device and will not. Changes noted while the
// device's clients are busy are told together.
//
// A client whose Add runs hears it when Add has returned: between the moment at
// which Add read the device and that at which it returned, nothing is lost.
// ctx lends its values to the clients; its end does not stop what has begun.
func (r *Registry) Notify(ctx context.Context, id ID, what Change) error {
	d, err := r.changed(ctx, id, what)
	if err != nil {
		return &Error{"notify clients of", "device " + id.String(), err}
	}
	r.notify(ctx, d, what)
	return nil
}

func (r *Registry) changed(ctx context.Context, id ID, what Change) (*device, error) {
	if r.inCallback(ctx) {
		return nil, ErrInCallback
	}
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(r.devices.find(id))
	if err == nil {
		r.log.append(Event{Kind: DeviceChanged, Device: id, Name: d.info.Name, Change: what})
	}
	return d, err
}

// notify notes a change for all who are on d, or on the way, and sees to it that
// they are told.
func (r *Registry) notify(ctx context.Context, d *device, what Change) {
	r.note(d, what)
	select {
	case d.turn <- struct{}{}:
		defer d.yield()
		r.settle(ctx, d)
	case <-d.ending:
	}
}

func (r *Registry) note(d *device, what Change) {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	for _, c := range r.clients {
		if a := c.attachments[d]; a != nil && c.handler != nil {
			a.pending |= what
		}
	}
}
