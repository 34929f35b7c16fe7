package core

import "github.com/ibctl/ibctl/core/rdma"

// Lease is a short hold on a device: the device is not gone before the lease is
// released. It does not keep clients on the device. A holder that learns of
// [Lease.Leaving] finishes and releases; it must not itself wait for the device
// to go.
//
// All methods may be called by any number of goroutines at once.
type Lease struct {
	registry *Registry
	device   *device
	holder   string
	info     *rdma.Device
	ending   <-chan struct{}
	released bool // devicesMu guards it
}

// Acquire leases a registered device. The holder's name is for those who find
// themselves waiting, see [LeaseWait]. Once the device is leaving Acquire fails
// for good, with [ErrLeaving], and later with [ErrStale]; while it is drained,
// with [ErrDrained].
func (r *Registry) Acquire(id ID, holder string) (*Lease, error) {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := onList(r.devices.find(id))
	if err == nil && !d.serves() {
		err = ErrDrained
	}
	if err != nil {
		return nil, &Error{"acquire", "device " + id.String(), err}
	}
	d.users.enter()
	d.holders[holder]++
	return &Lease{registry: r, device: d, holder: holder, info: d.info, ending: d.service.ending}, nil
}

// Device returns the device as it was when the lease was taken.
func (l *Lease) Device() Device { return Device{l.device.id, *l.info} }

// Leaving returns a channel that is closed when the device begins to leave, or to
// be drained.
func (l *Lease) Leaving() <-chan struct{} { return l.ending }

// Release ends the lease; further calls do nothing.
func (l *Lease) Release() {
	l.registry.devicesMu.Lock()
	defer l.registry.devicesMu.Unlock()
	if l.released {
		return
	}
	l.released = true
	holders := l.device.holders
	if holders[l.holder]--; holders[l.holder] == 0 {
		delete(holders, l.holder)
	}
	l.device.users.leave()
	l.device.service.released(l.device.users.inside)
}

// LeaseHolders returns the names of those who lease a device, sorted; none of one
// that is gone.
func (r *Registry) LeaseHolders(id ID) []string {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	d, err := r.devices.find(id)
	if err != nil {
		return nil
	}
	return d.leaseholders()
}
