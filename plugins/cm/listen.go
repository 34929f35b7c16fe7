package cm

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// Listen implements [cmv1.CMServer].
func (s *service) Listen(req *cmv1.ListenRequest, stream grpc.ServerStreamingServer[cmv1.ListenEvent]) error {
	l, err := s.client.listenFor(req)
	if err != nil {
		return withCode(err)
	}
	s.client.fleet.enter(l)
	ctx, cancel := context.WithCancelCause(stream.Context())
	var running sync.WaitGroup
	running.Go(func() { cancel(l.answerAll(ctx)) })
	running.Go(func() { l.follow(ctx) })
	err = l.report(ctx, stream)
	cancel(err)
	s.client.fleet.quit(l)
	running.Wait()
	if closeErr := l.close(); err == nil {
		err = closeErr
	}
	return err
}

func (c *Client) listenFor(req *cmv1.ListenRequest) (*listener, error) {
	at, err := req.GetAddress().AddrPort()
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "address: %v", err)
	}
	port := req.GetPort()
	if at.IsValid() && at.Port() != 0 {
		port = uint32(at.Port())
	}
	if port > 1<<16-1 {
		return nil, status.Errorf(codes.InvalidArgument, "port %d: want 1 to 65535", port)
	}
	if port == 0 {
		port = DefaultPort
	}
	host := req.GetHost()
	if host == "" {
		host = hostname()
	}
	only := at.Addr()
	if only.IsUnspecified() {
		only = netip.Addr{}
	}
	return newListener(c, only, uint16(port), host)
}

// hostname is the part before the first dot: private data is short.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// report takes up the devices that there are and passes events on until the call
// ends.
func (l *listener) report(ctx context.Context, stream grpc.ServerStreamingServer[cmv1.ListenEvent]) error {
	for _, dev := range l.client.fleet.all() {
		l.join(ctx, dev)
	}
	if !l.listens() {
		return l.nothing()
	}
	for {
		select {
		case e := <-l.events:
			if err := stream.Send(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// nothing says why there is nothing to listen on.
func (l *listener) nothing() error {
	for {
		select {
		case e := <-l.events:
			if w := e.GetWarning(); w != nil {
				return w.RDMA()
			}
			continue
		default:
		}
		if l.only.IsValid() {
			return status.Errorf(codes.NotFound, "%v is not an address of a device that the cm client is attached to", l.only)
		}
		return status.Error(codes.NotFound, "no device has an address to listen on")
	}
}

// settleTime is how long after a change of addresses the GID tables, which the
// kernel updates in a work queue, are read.
const settleTime = 200 * time.Millisecond

// follow takes up and drops addresses as they come and go, until ctx ends. A
// subscription that breaks off, as when the kernel had more to tell than the
// socket could hold, is made anew.
func (l *listener) follow(ctx context.Context) {
	for more := true; more; more = pause(ctx, settleTime) {
		updates := make(chan netlink.AddrUpdate, 64)
		done := make(chan struct{})
		options := netlink.AddrSubscribeOptions{ErrorCallback: func(err error) { l.warn("addresses", "follow", err) }}
		if err := netlink.AddrSubscribeWithOptions(updates, done, options); err != nil {
			l.warn("addresses", "follow; a new address will not be listened on", err)
			return
		}
		l.followUpdates(ctx, updates)
		close(done)
		for range updates { // the library's goroutine ends by closing it
		}
	}
}

func (l *listener) followUpdates(ctx context.Context, updates <-chan netlink.AddrUpdate) {
	settled := time.After(settleTime)
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
			settled = time.After(settleTime)
		case <-settled:
			settled = nil
			for _, dev := range l.client.fleet.all() {
				l.join(ctx, dev)
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell adds an event for whoever listens to the listener, or loses it if that
// one is far behind.
func (l *listener) tell(e *cmv1.ListenEvent) {
	e.TimeUnixNano = time.Now().UnixNano()
	select {
	case l.events <- e:
	default:
	}
}

func (l *listener) warn(object, op string, err error) {
	l.tell(&cmv1.ListenEvent{Event: &cmv1.ListenEvent_Warning{Warning: &cmv1.Warning{
		Object: object, Op: op, Error: pluginv1.NewError(withCode(err)),
	}}})
}
