package plugin

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

const epoch = 77

// funcClient is a client put together from functions; nil ones do nothing.
type funcClient struct {
	configure func(ctx context.Context, host *Host, config []byte) error
	add       func(ctx context.Context, dev *Device) (any, error)
	remove    func(ctx context.Context, dev *Device) error
	changed   func(ctx context.Context, dev *Device, what core.Change) error
}

func (c *funcClient) Name() string    { return "func" }
func (c *funcClient) Version() string { return "v" }

func (c *funcClient) Configure(ctx context.Context, host *Host, config []byte) error {
	if c.configure == nil {
		return nil
	}
	return c.configure(ctx, host, config)
}

func (c *funcClient) Add(ctx context.Context, dev *Device) (any, error) {
	if c.add == nil {
		return nil, nil
	}
	return c.add(ctx, dev)
}

func (c *funcClient) Remove(ctx context.Context, dev *Device) error {
	if c.remove == nil {
		return nil
	}
	return c.remove(ctx, dev)
}

func (c *funcClient) Changed(ctx context.Context, dev *Device, what core.Change) error {
	if c.changed == nil {
		return nil
	}
	return c.changed(ctx, dev, what)
}

// bed is a server in a synctest bubble, and the host's side of it.
type bed struct {
	*testing.T
	server *server
}

// bubble runs f with a server of client's, configured with our epoch.
func bubble(t *testing.T, client Client, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t, newServer(client, false)}
		if _, err := b.server.Configure(t.Context(), &pluginv1.ConfigureRequest{Epoch: epoch}); err != nil {
			t.Fatal(err)
		}
		f(b)
	})
}

// fakeStream hands messages over without a network. T is what the plugin gets, R
// what it sends.
type fakeStream[T, R any] struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *T
	out chan *R
}

func (s *fakeStream[T, R]) Context() context.Context { return s.ctx }

func (s *fakeStream[T, R]) Recv() (*T, error) {
	select {
	case m, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *fakeStream[T, R]) Send(m *R) error {
	select {
	case s.out <- m:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// talk is the host's side of a Device stream.
type talk struct {
	*bed
	id     core.ID
	stream *fakeStream[pluginv1.DeviceRequest, pluginv1.DeviceReply]
	abort  context.CancelFunc
	ended  chan error
}

// talk opens a Device stream.
func (b *bed) talk(index uint32, generation uint64) *talk {
	ctx, abort := context.WithCancel(context.Background())
	c := &talk{bed: b, id: core.ID{Index: index, Generation: generation}, abort: abort, ended: make(chan error, 1)}
	c.stream = &fakeStream[pluginv1.DeviceRequest, pluginv1.DeviceReply]{
		ctx: ctx, in: make(chan *pluginv1.DeviceRequest, 10), out: make(chan *pluginv1.DeviceReply, 10)}
	go func() { c.ended <- b.server.Device(c.stream) }()
	return c
}

func (c *talk) wire() *pluginv1.DeviceID { return pluginv1.NewDeviceID(epoch, c.id) }

func (c *talk) ask(req *pluginv1.DeviceRequest) {
	if req.Id == nil {
		req.Id = c.wire()
	}
	c.stream.in <- req
}

func addRequest() *pluginv1.DeviceRequest {
	info := pluginv1.NewDevice(rdma.Device{Name: "rxe0"})
	return &pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Add{Add: &pluginv1.Add{Device: info}}}
}

func removeRequest() *pluginv1.DeviceRequest {
	return &pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Remove{Remove: &pluginv1.Remove{}}}
}

func changeRequest(name string, what core.Change) *pluginv1.DeviceRequest {
	change := &pluginv1.Change{Device: pluginv1.NewDevice(rdma.Device{Name: name}), What: uint32(what)}
	return &pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Change{Change: change}}
}

// add, remove and change ask and return the answer, which has to be of that kind.
func (c *talk) add() error    { c.ask(addRequest()); return c.added() }
func (c *talk) remove() error { c.ask(removeRequest()); return c.removed() }

func (c *talk) change(name string, what core.Change) error {
	c.ask(changeRequest(name, what))
	return c.reply().GetChanged().GetError().Err()
}

func (c *talk) added() error {
	c.Helper()
	r := c.reply()
	if r.GetAdded() == nil {
		c.Fatalf("reply %v, want added", r)
	}
	return r.GetAdded().GetError().Err()
}

func (c *talk) removed() error {
	c.Helper()
	r := c.reply()
	if r.GetRemoved() == nil {
		c.Fatalf("reply %v, want removed", r)
	}
	return r.GetRemoved().GetError().Err()
}

// reply waits for the next one; in a bubble that is for ever, if none comes.
func (c *talk) reply() *pluginv1.DeviceReply {
	c.Helper()
	r := <-c.stream.out
	if r.GetId().ID() != c.id || r.GetId().GetEpoch() != epoch {
		c.Fatalf("reply for %v, want %v", r.GetId(), c.id)
	}
	return r
}

// silent checks that nothing more was said, once all is at rest.
func (c *talk) silent() {
	c.Helper()
	synctest.Wait()
	select {
	case r := <-c.stream.out:
		c.Errorf("unexpected reply %v", r)
	default:
	}
}

// end ends the stream in order, as the host does after Removed.
func (c *talk) end() error {
	close(c.stream.in)
	return <-c.ended
}
