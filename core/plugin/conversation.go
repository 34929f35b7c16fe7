package plugin

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

type deviceStream = grpc.BidiStreamingServer[pluginv1.DeviceRequest, pluginv1.DeviceReply]

// conversation is the plugin's side of one Device stream. Requests are read
// while earlier ones run, so that a Remove can end them; replies keep the order
// of the requests.
type conversation struct {
	server *server
	stream deviceStream
	id     *pluginv1.DeviceID
	dev    *Device // the device that this conversation added, if it did

	// last is closed when the reply to the latest request is sent.
	last    <-chan struct{}
	running sync.WaitGroup

	sending sync.Mutex // gRPC allows one sender at a time
}

// run serves the stream until the host ends it. Everything it started has ended
// when it returns.
func (c *conversation) run() error {
	first := make(chan struct{})
	close(first)
	c.last = first
	ctx, cancel := context.WithCancel(c.stream.Context())
	err := c.read(ctx)
	cancel()
	c.running.Wait()
	if c.dev != nil {
		select {
		case <-c.dev.gone:
		default:
			c.server.orphaned(c.dev)
		}
	}
	return err
}

func (c *conversation) read(ctx context.Context) error {
	for {
		req, err := c.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.take(ctx, req); err != nil {
			return err
		}
	}
}

// take starts the work on one request. An error ends the conversation.
func (c *conversation) take(ctx context.Context, req *pluginv1.DeviceRequest) error {
	if req.GetId() == nil {
		return status.Error(codes.InvalidArgument, "request without a device id")
	}
	if c.id == nil {
		c.id = req.GetId()
	}
	if !proto.Equal(c.id, req.GetId()) {
		return status.Errorf(codes.InvalidArgument, "request for device %v in the conversation of %v", req.GetId().ID(), c.id.ID())
	}
	ctx, cancel := within(ctx, req)
	switch r := req.GetRequest().(type) {
	case *pluginv1.DeviceRequest_Add:
		c.takeAdd(ctx, cancel, r.Add)
	case *pluginv1.DeviceRequest_Change:
		c.reply(cancel, func() error { return c.server.change(ctx, c.id, r.Change) }, changed)
	case *pluginv1.DeviceRequest_Remove:
		c.reply(cancel, func() error { return c.server.remove(ctx, c.id) }, removed)
	default:
		cancel()
		return status.Errorf(codes.Unimplemented, "device %v: unknown request", c.id.ID())
	}
	return nil
}

// takeAdd enters the device before the next request is read: a Remove that
// follows has to find it.
func (c *conversation) takeAdd(ctx context.Context, cancel context.CancelFunc, add *pluginv1.Add) {
	info, err := add.GetDevice().RDMA()
	if err != nil {
		err = status.Error(codes.InvalidArgument, err.Error())
		c.reply(cancel, func() error { return err }, added)
		return
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	dev, err := c.server.devices.begin(c.id, func() *Device {
		d := newDevice(c.id, info, c.server.calls)
		d.emit, d.giveUp = c.emit, giveUp
		return d
	})
	if dev == nil {
		c.reply(cancel, func() error { return err }, added)
		return
	}
	c.dev = dev
	c.reply(cancel, func() error { return c.server.add(ctx, dev) }, added)
}

// reply runs work in a goroutine of its own and sends its result, after the
// reply to the request before it.
func (c *conversation) reply(cancel context.CancelFunc, work func() error, wrap func(*pluginv1.Result) *pluginv1.DeviceReply) {
	before := c.last
	done := make(chan struct{})
	c.last = done
	c.running.Go(func() {
		defer close(done)
		defer cancel()
		result := &pluginv1.Result{Error: pluginv1.NewError(work())}
		<-before
		// A failed send means that the host is gone, which the reader sees too.
		_ = c.send(wrap(result))
	})
}

func (c *conversation) emit(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.send(&pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Event{Event: e.wire()}})
}

func (c *conversation) send(reply *pluginv1.DeviceReply) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	reply.Id = c.id
	return c.stream.Send(reply)
}

func added(r *pluginv1.Result) *pluginv1.DeviceReply {
	return &pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Added{Added: r}}
}

func changed(r *pluginv1.Result) *pluginv1.DeviceReply {
	return &pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Changed{Changed: r}}
}

func removed(r *pluginv1.Result) *pluginv1.DeviceReply {
	return &pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Removed{Removed: r}}
}
