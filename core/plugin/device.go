package plugin

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

var (
	// ErrLeaving is the cause ([context.Cause]) of a device's context once Remove
	// has begun.
	ErrLeaving = errors.New("the device is being removed")
	// ErrRemoved refuses what is asked of a device after its Remove, or after an
	// Add that failed.
	ErrRemoved = errors.New("the device is removed")
)

// Device is one incarnation of a device that the plugin drives, from Add until
// Remove. The same value is given to both.
type Device struct {
	id   core.ID
	ref  *pluginv1.DeviceID
	info atomic.Pointer[rdma.Device]
	host *Host
	emit func(context.Context, Event) error

	ctx    context.Context // from Add until Remove begins
	cancel context.CancelCauseFunc

	// giveUp ends the context that Add was called with.
	giveUp context.CancelCauseFunc

	added chan struct{} // closed when Add is over, whatever came of it
	gone  chan struct{} // closed when nothing touches the device any more

	// questions are [Devices.Use] calls: refused once Remove has begun, and over
	// before the author's Remove runs. work is what [Device.Go] started and the
	// host calls in the device's name: allowed in Remove, over before its reply.
	questions gate
	work      gate

	// The rest belongs to Devices.mu, except that data and failure may be read
	// after added and gone are closed.
	attached bool
	leaving  bool
	data     any
	failure  error // what Remove returned
}

func newDevice(id *pluginv1.DeviceID, info rdma.Device, calls *hostCalls) *Device {
	d := &Device{id: id.ID(), ref: id, added: make(chan struct{}), gone: make(chan struct{})}
	d.info.Store(&info)
	d.host = &Host{calls: calls, device: d}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d
}

// ID returns the identity of this incarnation.
func (d *Device) ID() core.ID { return d.id }

// Info returns the latest description of the device.
func (d *Device) Info() rdma.Device { return *d.info.Load() }

// Context ends when Remove begins, before the author's Remove is called, and
// when Add fails.
func (d *Device) Context() context.Context { return d.ctx }

// Data returns what Add returned. In Add it is nil.
func (d *Device) Data() any {
	select {
	case <-d.added:
		return d.data
	default:
		return nil
	}
}

// Host returns a handle for asking ibctl things on behalf of this device. It
// works in Remove too, and refuses with [ErrRemoved] afterwards.
func (d *Device) Host() *Host { return d.host }

// Go runs f in a goroutine that Remove waits for before it is acknowledged. ctx
// is the device's context: f returns soon after it ends. Go fails with
// [ErrRemoved], without running f, when the device is already removed.
func (d *Device) Go(f func(ctx context.Context)) error {
	if !d.work.enter() {
		return ErrRemoved
	}
	go func() {
		defer d.work.leave()
		f(d.ctx)
	}()
	return nil
}

// Emit sends an event about the device to ibctl, in order with the others. It
// blocks while ibctl is behind. It fails where ctx has ended, and with
// [ErrRemoved] after the device's life.
func (d *Device) Emit(ctx context.Context, e Event) error {
	if !d.work.enter() {
		return ErrRemoved
	}
	defer d.work.leave()
	return d.emit(ctx, e)
}
