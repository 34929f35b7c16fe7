package cm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/ucma"
)

// slice is how long the kernel may take over one attempt at a neighbour. It looks
// for the answer only when the time is up, so a long attempt costs all of it even
// if the answer came at once.
const slice = 100 * time.Millisecond

// question is where a connection is to lead.
type question struct {
	source, destination netip.AddrPort // the source may be zero
	tos                 rdma.Opt[uint8]
}

// way is an id that is resolved as far as a path, on a channel of its own: closing
// that ends all there is of it.
type way struct {
	channel *ucma.Channel
	id      *ucma.ID
	device  *device
	route   ucma.Route
}

// Close lets go of everything. When it returns, the kernel has.
func (w *way) Close() error { return w.channel.Close() }

// findWay resolves q's address and route, on a device that s is pinned to then.
// The caller must Close what it returns.
func (c *Client) findWay(ctx context.Context, s *session, q question) (w *way, err error) {
	if err := c.lookAhead(ctx, q); err != nil {
		return nil, err
	}
	channel, err := ucma.Open()
	if err != nil {
		return nil, err
	}
	w = &way{channel: channel}
	defer func() {
		if err != nil {
			err = errors.Join(err, channel.Close())
		}
	}()
	if w.id, err = channel.NewID(); err != nil {
		return nil, err
	}
	if err := w.resolveAddr(ctx, q); err != nil {
		return nil, err
	}
	if err := w.bindTo(s); err != nil {
		return nil, err
	}
	return w, w.resolveRoute(ctx, q)
}

// resolveAddr asks in slices until there is an answer.
func (w *way) resolveAddr(ctx context.Context, q question) error {
	for {
		if err := w.id.ResolveAddr(q.source, q.destination, untilDeadline(ctx, slice)); err != nil {
			return err
		}
		e, err := w.await(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return noNeighbour(q)
		case err != nil:
			return err
		case e.Type == ucma.EventAddrResolved:
			return nil
		case e.Type != ucma.EventAddrError:
			return unexpected(e)
		}
		err = ucma.AddrError(q.destination.Addr(), e)
		if !errors.Is(err, ucma.ErrNoNeighbour) || !timeLeft(ctx) {
			return err
		}
	}
}

// noNeighbour is what the kernel says when its own time is over.
func noNeighbour(q question) error {
	return ucma.AddrError(q.destination.Addr(), ucma.Event{Status: -int32(unix.ETIMEDOUT)})
}

// timeLeft tells whether another slice is worth it.
func timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > slice)
}

// untilDeadline is limit, or what is left until ctx's deadline.
func untilDeadline(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(0, min(limit, time.Until(deadline)))
	}
	return limit
}

// bindTo pins s to the device that the kernel has chosen.
func (w *way) bindTo(s *session) error {
	route, err := w.id.Route()
	if err != nil {
		return err
	}
	index, known := route.DeviceIndex.Get()
	if !known {
		return status.Error(codes.Unimplemented, "this kernel does not tell which device it chose: that needs Linux 5.10 or newer")
	}
	w.device, err = s.pin(index)
	return err
}

// routeTimeout is for a subnet administrator that is slow; on RoCE the kernel
// answers by itself.
const routeTimeout = 2 * time.Second

func (w *way) resolveRoute(ctx context.Context, q question) error {
	if tos, ok := q.tos.Get(); ok {
		if err := w.id.SetTOS(tos); err != nil {
			return err
		}
	}
	if err := w.id.ResolveRoute(untilDeadline(ctx, routeTimeout)); err != nil {
		return err
	}
	e, err := w.await(ctx)
	switch {
	case err != nil:
		return err
	case e.Type == ucma.EventRouteError:
		return ucma.RouteError(q.destination.Addr(), e)
	case e.Type != ucma.EventRouteResolved:
		return unexpected(e)
	}
	w.route, err = w.id.Route()
	return err
}

// await waits for the id's next event. Its device's going is an error.
func (w *way) await(ctx context.Context) (ucma.Event, error) {
	for {
		e, err := w.channel.NextEvent(ctx)
		switch {
		case err != nil:
			return e, err
		case e.UID != w.id.UID():
			continue
		case e.Type == ucma.EventDeviceRemoval:
			return e, ucma.ErrDeviceGone
		}
		return e, nil
	}
}

func unexpected(e ucma.Event) error {
	return fmt.Errorf("the kernel answered with %v (status %d)", e.Type, e.Status)
}
