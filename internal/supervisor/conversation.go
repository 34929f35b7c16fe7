package supervisor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// conversation is ibctl's side of one Device stream. One exchange is under way
// at a time; a Remove may follow an Add or a Change before its reply.
type conversation struct {
	p    *Plugin
	id   core.ID
	name string // for people

	ctx     context.Context // the stream's
	cancel  context.CancelFunc
	stream  grpc.BidiStreamingClient[pluginv1.DeviceRequest, pluginv1.DeviceReply]
	replies chan *pluginv1.DeviceReply // from read to the exchange
	ended   chan struct{}              // closed when the stream is over
	err     error                      // why; valid after ended

	turn     chan struct{} // holds one token; whoever has it may exchange
	over     bool          // nothing is attached any more; belongs to the turn
	owed     int           // replies to changes that were given up; belongs to the turn
	attached atomic.Bool
	calls    gate // answers to questions in this device's name
}

// newConversation returns a conversation whose turn is taken: the first exchange
// is the caller's Add.
func newConversation(p *Plugin, dev core.Device) *conversation {
	ctx, cancel := context.WithCancel(context.Background())
	return &conversation{
		p:      p,
		id:     dev.ID,
		name:   dev.Info.Name,
		ctx:    ctx,
		cancel: cancel,
		// No more than two are ever asked for before one is taken.
		replies: make(chan *pluginv1.DeviceReply, 2),
		ended:   make(chan struct{}),
		turn:    make(chan struct{}, 1),
	}
}

// open opens the stream. If that fails, or ctx ends first, the conversation is
// over before it began, and the plugin knows nothing of the device.
func (c *conversation) open(ctx context.Context) error {
	stop := context.AfterFunc(ctx, c.cancel)
	stream, err := c.p.rpc.Device(c.ctx)
	if inTime := stop(); !inTime && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.err = err
		close(c.ended)
		return err
	}
	c.stream = stream
	go c.read()
	return nil
}

// read passes replies to those who wait and events on. It ends with the stream,
// and the stream ends with the process at the latest; close waits for it.
func (c *conversation) read() {
	defer close(c.ended)
	for {
		reply, err := c.stream.Recv()
		if err != nil {
			c.err = err
			return
		}
		if e := reply.GetEvent(); e != nil {
			c.event(e)
			continue
		}
		select {
		case c.replies <- reply:
		default:
			c.err = fmt.Errorf("%w: reply to nothing", ErrBroken)
			c.p.proc.kill(c.err)
			return
		}
	}
}

func (c *conversation) event(e *pluginv1.Event) {
	if hear := c.p.sup.config.OnEvent; hear != nil {
		hear(c.p.Name(), c.id, plugin.EventFrom(e))
	}
}

func (c *conversation) send(timeout time.Duration, req *pluginv1.DeviceRequest) error {
	req.Id = c.p.DeviceID(c.id)
	req.TimeoutMs = uint64(timeout.Milliseconds())
	if err := c.stream.Send(req); err != nil {
		// Send knows only that the stream ended; the reader knows why.
		<-c.ended
		return c.err
	}
	return nil
}

// reply waits for the next reply that is not owed to a change given up, for the
// end of the stream, or for the end of ctx.
func (c *conversation) reply(ctx context.Context) (*pluginv1.DeviceReply, error) {
	for {
		r, err := c.next(ctx)
		if r.GetChanged() == nil || c.owed == 0 {
			return r, err
		}
		c.owed--
	}
}

// next prefers a reply to an end: what was said before the end counts.
func (c *conversation) next(ctx context.Context) (*pluginv1.DeviceReply, error) {
	select {
	case r := <-c.replies:
		return r, nil
	default:
	}
	select {
	case r := <-c.replies:
		return r, nil
	case <-c.ended:
		select {
		case r := <-c.replies:
			return r, nil
		default:
			return nil, c.err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *conversation) streamEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

func (c *conversation) yield() { c.turn <- struct{}{} }

// close ends the stream, and returns when nothing works on it any more: neither
// the reader nor an answer to a question in the device's name. It comes after the
// first exchange, so that the stream was opened, or failed to be.
func (c *conversation) close() {
	c.calls.close()
	c.cancel()
	<-c.ended
}
