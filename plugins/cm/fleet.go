package cm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// errLeft is the cause of a session's end when a device left on which it was, or
// might have been.
var errLeft = errors.New("a device is being removed")

// fleet is the devices that the client is attached to, and who works on them.
//
// The kernel binds a CM id to a device of *its* choice, so a question is on no
// device that ibctl could name until the kernel has chosen. Until then it counts
// for every device: whichever leaves, the question ends and lets go before
// Remove returns, and may then be asked again of the devices that are left.
type fleet struct {
	mu        sync.Mutex
	devices   map[uint32]*device // by the kernel's index
	removals  uint64
	sessions  map[*session]struct{}
	listeners map[*listener]struct{}
}

func newFleet() *fleet {
	return &fleet{
		devices:   map[uint32]*device{},
		sessions:  map[*session]struct{}{},
		listeners: map[*listener]struct{}{},
	}
}

// device is what the client keeps of a device that it is attached to. It is the
// [plugin.Device.Data] of it.
type device struct {
	*plugin.Device
	index uint32
	dir   *sysfs.Device
	users sync.WaitGroup // see fleet.hold
	// defaults are those that were set, by port. They belong to Add and Changed.
	defaults map[uint32]Defaults
}

func (d *device) name() string { return d.Info().Name }

// session is one question that holds, or is about to hold, CM ids.
type session struct {
	fleet  *fleet
	cancel context.CancelCauseFunc
	over   chan struct{} // closed when it holds nothing any more

	device rdma.Opt[uint32] // the one it is on, by index; guarded by fleet.mu
}

// run calls f, which has destroyed all its ids when it returns. f is called
// again when a device left that was not its own, or not known to be.
func (fl *fleet) run(ctx context.Context, f func(ctx context.Context, s *session) error) error {
	for {
		again, err := fl.runOnce(ctx, f)
		if !again || ctx.Err() != nil {
			return err
		}
	}
}

func (fl *fleet) runOnce(parent context.Context, f func(context.Context, *session) error) (again bool, err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s := &session{fleet: fl, cancel: cancel, over: make(chan struct{})}
	fl.mu.Lock()
	fl.sessions[s] = struct{}{}
	fl.mu.Unlock()
	defer fl.end(s)
	err = f(ctx, s)
	if err != nil && errors.Is(context.Cause(ctx), errLeft) {
		return true, leavingError(err)
	}
	return false, err
}

func (fl *fleet) end(s *session) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	delete(fl.sessions, s)
	close(s.over)
}

// pin says which device the kernel has chosen; from now on only its leaving
// ends the session. It fails if the client is not attached to it: then the
// session must let go at once.
func (s *session) pin(index uint32) (*device, error) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	dev, attached := s.fleet.devices[index]
	if !attached {
		return nil, notAttachedError(fmt.Sprintf("#%d", index))
	}
	s.device = rdma.Known(index)
	return dev, nil
}

// add enters a device.
func (fl *fleet) add(dev *device) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.devices[dev.index] = dev
}

// hold keeps a device while a listener looks at it: remove waits for release. It
// is not ok if the client is not attached to it any more.
func (fl *fleet) hold(dev *device) (release func(), ok bool) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.devices[dev.index] != dev {
		return nil, false
	}
	dev.users.Add(1)
	return dev.users.Done, true
}

// remove takes a device out. When it returns, no session is on it, nobody holds
// it and no listener has an id on it, and none can get there again.
func (fl *fleet) remove(dev *device) {
	index := dev.index
	fl.mu.Lock()
	delete(fl.devices, index)
	fl.removals++
	var ending []*session
	for s := range fl.sessions {
		if on, known := s.device.Get(); !known || on == index {
			ending = append(ending, s)
		}
	}
	listeners := fl.copyListeners()
	fl.mu.Unlock()
	for _, s := range ending {
		s.cancel(errLeft)
	}
	for _, l := range listeners {
		l.leave(index)
	}
	for _, s := range ending {
		<-s.over
	}
	dev.users.Wait()
}

// copyListeners wants mu held.
func (fl *fleet) copyListeners() []*listener {
	var all []*listener
	for l := range fl.listeners {
		all = append(all, l)
	}
	return all
}

// current returns the listeners, which Add tells of a new device.
func (fl *fleet) current() []*listener {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.copyListeners()
}

// enter and quit begin and end the life of a listener.
func (fl *fleet) enter(l *listener) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.listeners[l] = struct{}{}
}

func (fl *fleet) quit(l *listener) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	delete(fl.listeners, l)
}

// has returns the device with that index, if the client is attached to it.
func (fl *fleet) has(index uint32) (*device, bool) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	dev, ok := fl.devices[index]
	return dev, ok
}

// all returns the attached devices.
func (fl *fleet) all() []*device {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	var devices []*device
	for _, dev := range fl.devices {
		devices = append(devices, dev)
	}
	return devices
}

// removed counts the devices that were taken out. Whoever looks at what there is
// and then acts on it sees by it whether a device has left in between.
func (fl *fleet) removed() uint64 {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.removals
}

func notAttachedError(device string) error {
	return status.Errorf(codes.FailedPrecondition, "the way leads over device %s, which the cm client is not attached to: it is being removed, or was never added", device)
}

func leavingError(err error) error {
	return status.Errorf(codes.FailedPrecondition, "%v: %v", errLeft, err)
}
