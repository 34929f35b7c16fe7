package host

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/internal/nldev"
)

// KernelEvent is an event as the kernel sends it, before anybody has looked at
// what is true: see [Host.Follow] for that.
type KernelEvent = nldev.Event

// KernelEvents hears them, in the network namespace of the thread that opened it.
// One goroutine may use it.
type KernelEvents struct {
	conn    *nldev.Conn
	monitor *nldev.Monitor
	pending []KernelEvent
	err     error // told after pending
}

// OpenKernelEvents subscribes to the kernel's events (Linux 6.12). The caller
// closes it. An older kernel is [nldev.ErrUnsupported], and one without RDMA
// [nldev.ErrUnavailable].
func OpenKernelEvents(ctx context.Context) (*KernelEvents, error) {
	conn, err := nldev.Dial()
	if err != nil {
		return nil, err
	}
	monitor, err := conn.Monitor(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &KernelEvents{conn: conn, monitor: monitor}, nil
}

// Next waits for an event. After an error that [EventsGoOn] there may be more.
func (k *KernelEvents) Next(ctx context.Context) (KernelEvent, error) {
	for len(k.pending) == 0 {
		if err := k.err; err != nil {
			k.err = nil
			return KernelEvent{}, err
		}
		k.pending, k.err = k.monitor.Receive(ctx)
	}
	e := k.pending[0]
	k.pending = k.pending[1:]
	return e, nil
}

// EventsGoOn tells of an error of [KernelEvents.Next] whether it is only about
// events that were lost, or that made no sense.
func EventsGoOn(err error) bool {
	return errors.Is(err, nldev.ErrLost) || errors.Is(err, nldev.ErrMalformed)
}

// Close ends the subscription.
func (k *KernelEvents) Close() error { return errors.Join(k.monitor.Close(), k.conn.Close()) }
