package plugin

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// Devices are the devices that this plugin drives.
type Devices struct {
	mu    sync.Mutex
	epoch uint64
	byID  map[core.ID]*Device
	past  past
}

func newDevices() *Devices {
	return &Devices{byID: make(map[core.ID]*Device)}
}

// All returns the attached devices by index. A device in it may be leaving by
// the time the caller looks at it: [Devices.Use] is the way to touch one.
func (t *Devices) All() []*Device {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*Device
	for _, d := range t.byID {
		if d.attached && !d.leaving {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *Device) int {
		return cmp.Or(cmp.Compare(a.id.Index, b.id.Index), cmp.Compare(a.id.Generation, b.id.Generation))
	})
	return list
}

// Use runs f, which answers a question about a device, and keeps the device
// until f returns: Remove waits for it. It refuses with a gRPC status, fit to be
// returned from a handler, and without running f:
//
//   - InvalidArgument without an id;
//   - NotFound for a device this plugin never drove;
//   - FailedPrecondition for one that is leaving, was removed, is still being
//     added, or belongs to another epoch.
//
// The ctx that f gets ends with the caller's, and when the device starts to
// leave; f should then return.
func (t *Devices) Use(ctx context.Context, id *pluginv1.DeviceID, f func(ctx context.Context, dev *Device) error) error {
	dev, err := t.acquire(id)
	if err != nil {
		return err
	}
	defer dev.questions.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(dev.ctx, func() { cancel(context.Cause(dev.ctx)) })
	defer stop()
	err = f(ctx, dev)
	if err != nil && context.Cause(ctx) == ErrLeaving {
		return leavingError(dev.id)
	}
	return pluginv1.ToStatus(err)
}

// Each runs f for one attached device after the other, by index, for a question
// about them all. It keeps each while f looks at it, as [Devices.Use] does, and
// none of the others. A device that leaves meanwhile is passed over, whatever f
// said of it; any other error ends Each and is returned.
func (t *Devices) Each(ctx context.Context, f func(ctx context.Context, dev *Device) error) error {
	for _, dev := range t.All() {
		err := t.Use(ctx, dev.ref, f)
		if err != nil && status.Code(err) != codes.FailedPrecondition {
			return err
		}
	}
	return nil
}

// acquire enters the questions gate of an attached device.
func (t *Devices) acquire(id *pluginv1.DeviceID) (*Device, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id == nil {
		return nil, status.Error(codes.InvalidArgument, "no device id given")
	}
	if err := t.checkEpoch(id); err != nil {
		return nil, err
	}
	dev, known := t.byID[id.ID()]
	switch {
	case !known && t.isPast(id.ID()):
		return nil, pastError(id.ID())
	case !known:
		return nil, status.Errorf(codes.NotFound, "device %v: no such device", id.ID())
	case !dev.attached:
		return nil, status.Errorf(codes.FailedPrecondition, "device %v: still being added", id.ID())
	case dev.leaving || !dev.questions.enter():
		return nil, leavingError(id.ID())
	}
	return dev, nil
}

// begin enters a device that is to be added; it is made only if there is need of
// it. begin returns nil without an error if the device is attached already. What
// it returns must go to attach or abandon.
func (t *Devices) begin(id *pluginv1.DeviceID, make func() *Device) (*Device, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.checkEpoch(id); err != nil {
		return nil, err
	}
	old, known := t.byID[id.ID()]
	switch {
	case !known && t.isOvertaken(id.ID()):
		return nil, pastError(id.ID())
	case known && old.leaving:
		return nil, leavingError(id.ID())
	case known && !old.attached:
		return nil, status.Errorf(codes.FailedPrecondition, "device %v: another Add is at work", id.ID())
	case known:
		return nil, nil
	}
	dev := make()
	t.byID[dev.id] = dev
	return dev, nil
}

// attach makes dev visible after a successful Add.
func (t *Devices) attach(dev *Device, data any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dev.attached, dev.data = true, data
	close(dev.added)
}

// abandon takes dev out again after a failed Add, once nothing uses it. The same
// incarnation may be added again.
func (t *Devices) abandon(dev *Device) {
	dev.cancel(ErrRemoved)
	dev.work.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, dev.id)
	close(dev.added)
	close(dev.gone)
}

// leave marks a device as leaving. It returns nil if there is none, and tells
// whether the caller is the one who has to see to its removal.
func (t *Devices) leave(id *pluginv1.DeviceID) (dev *Device, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.checkEpoch(id) != nil {
		return nil, false
	}
	dev = t.byID[id.ID()]
	if dev == nil {
		return nil, false
	}
	first = !dev.leaving
	dev.leaving = true
	return dev, first
}

// forget ends the life of a device that is removed.
func (t *Devices) forget(dev *Device, failure error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dev.failure = failure
	delete(t.byID, dev.id)
	t.past.bury(dev.id)
	close(dev.gone)
}

// setEpoch is called by Configure, before any device is named.
func (t *Devices) setEpoch(epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch = epoch
}

func (t *Devices) checkEpoch(id *pluginv1.DeviceID) error {
	if id.GetEpoch() == t.epoch {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition, "device %v: id of another epoch (%x, not %x)", id.ID(), id.GetEpoch(), t.epoch)
}

// isPast tells whether an id that is not in the table was there before, or has
// been overtaken by one that was or is.
func (t *Devices) isPast(id core.ID) bool {
	return t.past.has(id) || t.isOvertaken(id)
}

// isOvertaken tells whether the index of id has passed on to a later device. One
// that was just removed may come again: it was drained, and is back in service.
func (t *Devices) isOvertaken(id core.ID) bool {
	if t.past.overtook(id) {
		return true
	}
	for other := range t.byID {
		if overtakes(other, id) {
			return true
		}
	}
	return false
}

func pastError(id core.ID) error {
	return status.Errorf(codes.FailedPrecondition, "device %v: %v", id, ErrRemoved)
}

func leavingError(id core.ID) error {
	return status.Errorf(codes.FailedPrecondition, "device %v: %v", id, ErrLeaving)
}
