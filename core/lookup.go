package core

import "fmt"

// The methods here, like Attachments, Data and Acquire, wait for no client and
// may be called from anywhere, a client's Add and Remove included.

// Devices returns the registered devices that are in service, in the order of
// registration. Those that are drained are left out: see [Registry.Drained].
func (r *Registry) Devices() []Device { return r.pictures((*device).serves) }

// pictures returns the registered devices that are kept, oldest first.
func (r *Registry) pictures(keep func(*device) bool) []Device {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	registered := r.devices.registered(keep)
	list := make([]Device, len(registered))
	for i, d := range registered {
		list[i] = d.picture()
	}
	return list
}

// Lookup returns the registered device with that ID. A device on its way out is
// [ErrLeaving], one that is gone [ErrStale], one out of service [ErrDrained].
func (r *Registry) Lookup(id ID) (Device, error) {
	return r.lookup(id, func(t *deviceTable) (*device, error) { return t.find(id) })
}

// LookupName returns the registered device of that name. A device on its way
// out, which still has the name, is [ErrLeaving].
func (r *Registry) LookupName(name string) (Device, error) {
	return r.lookup(name, func(t *deviceTable) (*device, error) { return known(t.byName[name]) })
}

// LookupIndex returns the registered device of that kernel index. A device on
// its way out, which still has the index, is [ErrLeaving].
func (r *Registry) LookupIndex(index uint32) (Device, error) {
	return r.lookup(index, func(t *deviceTable) (*device, error) { return known(t.byIndex[index]) })
}

func (r *Registry) lookup(key any, find func(*deviceTable) (*device, error)) (Device, error) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(find(&r.devices))
	if err == nil && !d.serves() {
		err = ErrDrained
	}
	if err != nil {
		return Device{}, &Error{"look up", fmt.Sprintf("device %v", key), err}
	}
	return d.picture(), nil
}

func known(d *device) (*device, error) {
	if d == nil {
		return nil, ErrNotRegistered
	}
	return d, nil
}

// onList narrows what was found down to what is registered.
func onList(d *device, err error) (*device, error) {
	if err == nil && d.leaving() {
		return nil, ErrLeaving
	}
	return d, err
}

// find returns the device that id names, be it registered or leaving.
func (r *Registry) find(id ID) (*device, error) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	return r.devices.find(id)
}

// registered returns the registered devices, oldest first.
func (r *Registry) registered() []*device {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	return r.devices.registered(func(*device) bool { return true })
}

// Clients returns the names of the registered clients, in the order of
// registration.
func (r *Registry) Clients() []string {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	names := make([]string, 0, len(r.clients))
	for _, c := range r.clients {
		if !c.leaving() {
			names = append(names, c.name)
		}
	}
	return names
}
