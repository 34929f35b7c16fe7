package plugin

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// hostCallTimeout is for calls whose ctx has no deadline.
const hostCallTimeout = 10 * time.Second

var errHostGone = errors.New("ibctl closed the host stream")

type hostStream = grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]

// hostCalls matches calls with replies on the one Host stream.
type hostCalls struct {
	opened chan struct{} // closed when stream is set
	ended  chan struct{} // closed when the stream is over
	stream hostStream

	sending chan struct{} // holds one token: gRPC allows one sender at a time

	mu      sync.Mutex
	last    uint64
	pending map[uint64]chan *pluginv1.HostReply
}

func newHostCalls() *hostCalls {
	h := &hostCalls{
		opened:  make(chan struct{}),
		ended:   make(chan struct{}),
		sending: make(chan struct{}, 1),
		pending: make(map[uint64]chan *pluginv1.HostReply),
	}
	h.sending <- struct{}{}
	return h
}

// serve hands replies to those who wait for them, until the stream ends. It is
// called once.
func (h *hostCalls) serve(stream hostStream) error {
	h.stream = stream
	close(h.opened)
	defer close(h.ended)
	for {
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		if waiter := h.take(reply.GetCall()); waiter != nil {
			waiter <- reply
		}
	}
}

// do sends one call and waits for its reply. A call whose ctx ends is forgotten;
// its reply, when it comes, is dropped.
func (h *hostCalls) do(ctx context.Context, call *pluginv1.HostCall) (*pluginv1.HostReply, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hostCallTimeout)
		defer cancel()
	}
	select {
	case <-h.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	waiter := h.register(call)
	defer h.take(call.GetCall())
	if err := h.send(ctx, call); err != nil {
		return nil, err
	}
	select {
	case reply := <-waiter:
		return reply, reply.GetError().Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.ended:
		return nil, errHostGone
	}
}

// send may take its time while ibctl has many calls to answer; those who wait for
// their turn meanwhile can give up.
func (h *hostCalls) send(ctx context.Context, call *pluginv1.HostCall) error {
	select {
	case <-h.sending:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { h.sending <- struct{}{} }()
	if err := h.stream.Send(call); err != nil {
		return errors.Join(errHostGone, err)
	}
	return nil
}

func (h *hostCalls) register(call *pluginv1.HostCall) <-chan *pluginv1.HostReply {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	call.Call = h.last
	waiter := make(chan *pluginv1.HostReply, 1)
	h.pending[call.GetCall()] = waiter
	return waiter
}

func (h *hostCalls) take(call uint64) chan *pluginv1.HostReply {
	h.mu.Lock()
	defer h.mu.Unlock()
	waiter := h.pending[call]
	delete(h.pending, call)
	return waiter
}
