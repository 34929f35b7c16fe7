package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// The causes for which a keeper's work is interrupted.
var (
	errGone    = errors.New("the device is gone")
	errRenamed = errors.New("the device has another name by now")
)

// wanted is what a keeper is to bring about.
type wanted struct {
	present bool
	device  rdma.Device // as far as the list told
	refresh bool        // its facts may have changed
}

// keeper keeps the registry like the kernel with respect to one device. What is
// wanted may change while it works; it works until there is no difference.
type keeper struct {
	f       *follower
	key     key
	wake    chan struct{} // holds one token while something is wanted
	settled chan struct{} // closed after the first work

	// These are guarded by f.mu.
	want    wanted
	cancel  context.CancelCauseFunc // of the work under way
	taking  string                  // the name that it is about to have in the registry
	waiting bool                    // until that name is free
	netdevs []uint32                // indexes of those that its ports were last seen on
	glanced rdma.Device             // what a glance showed before the device was read
	content bool                    // everything is as it was wanted

	// These are the goroutine's own, or that of the change under way.
	registered bool
	id         core.ID
	info       rdma.Device // as registered
	stale      bool        // info could not be brought up to date
}

// demand sets what is wanted; f.mu is held. It interrupts work for a device that
// is gone, and the wait for a name that is wanted no more.
func (k *keeper) demand(w wanted) {
	w.refresh = w.refresh || k.want.refresh
	same := k.content && w.present && !w.refresh && w.device.Name == k.want.device.Name
	k.want = w
	switch {
	case same:
		return
	case k.cancel == nil:
	case !w.present:
		k.cancel(errGone)
	case k.taking != w.device.Name && k.f.held(k, k.taking):
		k.cancel(errRenamed)
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	first := true
	for {
		select {
		case <-k.wake:
		case <-ctx.Done():
			if first {
				close(k.settled)
			}
			return
		}
		k.work(ctx)
		if first {
			first = false
			close(k.settled)
		}
		if k.finished() {
			return
		}
	}
}

// finished tells whether the device is off the registry and not wanted on it,
// and forgets the keeper then.
func (k *keeper) finished() bool {
	k.f.mu.Lock()
	defer k.f.mu.Unlock()
	if k.registered || k.want.present {
		return false
	}
	delete(k.f.keepers, k.key)
	return true
}

// work brings about what is wanted now.
func (k *keeper) work(ctx context.Context) {
	ctx, w, release := k.begin(ctx)
	defer release()
	switch {
	case !w.present && k.registered:
		k.unregister(ctx)
		k.left()
	case w.present && !k.registered:
		k.register(ctx, w.device)
	case w.present && (w.refresh || k.stale || w.device.Name != k.info.Name):
		k.refresh(ctx, w.device)
	}
}

// begin takes what is wanted, with a context that ends when the device is gone.
func (k *keeper) begin(ctx context.Context) (context.Context, wanted, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	k.f.mu.Lock()
	defer k.f.mu.Unlock()
	w := k.want
	k.want.refresh = false
	k.cancel, k.content = cancel, false
	return ctx, w, func() {
		k.f.mu.Lock()
		defer k.f.mu.Unlock()
		k.cancel, k.content = nil, w.present && k.registered && !k.stale && k.info.Name == w.device.Name
		cancel(nil)
	}
}

func (k *keeper) register(ctx context.Context, seen rdma.Device) {
	d, ok := k.read(ctx, seen)
	if !ok {
		return
	}
	err := k.take(ctx, d.Name, func() (err error) {
		k.id, err = k.f.reg.RegisterDevice(ctx, d)
		return err
	})
	if err != nil {
		k.report(ctx, err)
		return
	}
	k.registered, k.info = true, d
}

// unregister is not bounded by a context: the registry waits for the clients.
func (k *keeper) unregister(ctx context.Context) {
	if err := k.f.reg.UnregisterDevice(context.WithoutCancel(ctx), k.id); err != nil {
		k.f.opts.Report(err) // a client's; the device is off the registry
	}
}

// left notes that the device is off the registry.
func (k *keeper) left() {
	k.registered = false
	k.f.release(k, k.info.Name)
}

// refresh reads the device anew and passes on what is new. Clients hear of it
// and may take their time: a device that goes meanwhile is unregistered at once,
// which also ends the change.
func (k *keeper) refresh(ctx context.Context, seen rdma.Device) {
	d, ok := k.read(ctx, seen)
	if k.stale = !ok; !ok {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.change(ctx, d)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	gone := errors.Is(context.Cause(ctx), errGone)
	if gone {
		k.unregister(ctx)
	}
	<-done
	if gone {
		k.left()
	}
}

// change makes the registry's name and facts those of d.
func (k *keeper) change(ctx context.Context, d rdma.Device) {
	if old := k.info.Name; d.Name != old {
		if err := k.take(ctx, d.Name, func() error { return k.f.reg.Rename(ctx, k.id, d.Name) }); err != nil {
			k.stale = true
			k.report(ctx, err)
			return
		}
		k.renamed(d.Name)
	}
	if err := k.f.reg.Update(ctx, k.id, d); err != nil {
		k.stale = true
		k.report(ctx, err)
		return
	}
	k.info = d
}

// renamed notes the name under which the device is registered now.
func (k *keeper) renamed(name string) {
	old := k.info.Name
	k.info.Name = name
	k.f.release(k, old)
}

// read reads the device. One that has vanished will be off the next list.
func (k *keeper) read(ctx context.Context, seen rdma.Device) (rdma.Device, bool) {
	var glanced rdma.Device
	if k.f.glance != nil {
		glanced, _ = k.f.glance(ctx, seen)
	}
	d, warnings, err := k.f.read(ctx, seen)
	for _, w := range warnings {
		k.report(ctx, w)
	}
	if err != nil && !errors.Is(err, ErrVanished) {
		k.report(ctx, fmt.Errorf("read device %s: %w", seen.Name, err))
	}
	if err == nil {
		k.noteRead(glanced, d)
	}
	return d, err == nil
}

// noteRead notes what tells that the device is to be read again.
func (k *keeper) noteRead(glanced, d rdma.Device) {
	k.f.mu.Lock()
	defer k.f.mu.Unlock()
	k.glanced, k.netdevs = glanced, k.netdevs[:0]
	for _, p := range d.Ports {
		if index, ok := p.NetdevIndex.Get(); ok {
			k.netdevs = append(k.netdevs, index)
		}
	}
}

// isOn tells whether a change of the netdev may be one of the device; f.mu is
// held. While the device is being read, it is on any.
func (k *keeper) isOn(netdev rdma.Opt[uint32]) bool {
	index, ok := netdev.Get()
	return ok && (k.cancel != nil || slices.Contains(k.netdevs, index))
}

// report tells of an error, unless the work was interrupted, which explains it.
func (k *keeper) report(ctx context.Context, err error) {
	if ctx.Err() == nil {
		k.f.opts.Report(err)
	}
}
