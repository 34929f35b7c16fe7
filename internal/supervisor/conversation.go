package supervisor

import (
	"context"
	"errors"
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
	p      *Plugin
	id     core.ID
	name   string // for people
	stream grpc.BidiStreamingClient[pluginv1.DeviceRequest, pluginv1.DeviceReply]
	cancel context.CancelFunc

	replies chan *pluginv1.DeviceReply // from read to the exchange
	ended   chan struct{}              // closed when read is over
	err     error                      // why; valid after ended

	turn     chan struct{} // holds one token; whoever has it may exchange
	over     bool          // nothing is attached any more; belongs to the turn
	owed     int           // replies to changes that were given up; belongs to the turn
	attached atomic.Bool
	calls    gate // answers to questions in this device's name
}

func newConversation(p *Plugin, dev core.Device) (*conversation, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := p.rpc.Device(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &conversation{
		p:       p,
		id:      dev.ID,
		name:    dev.Info.Name,
		stream:  stream,
		cancel:  cancel,
		replies: make(chan *pluginv1.DeviceReply, 2),
		ended:   make(chan struct{}),
		turn:    make(chan struct{}, 1),
	}
	c.turn <- struct{}{}
	go c.read()
	return c, nil
}

// read passes replies to those who wait and events on. It ends with the stream,
// and the stream ends with the process at the latest.
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

func (c *conversation) add(ctx context.Context, dev core.Device) error {
	<-c.turn
	defer c.yield()
	op := "add " + c.name
	defer c.deadline(op, c.p.limits.Add)()
	err := c.send(c.p.limits.Add, &pluginv1.DeviceRequest{
		Request: &pluginv1.DeviceRequest_Add{Add: &pluginv1.Add{Device: pluginv1.NewDevice(dev.Info)}},
	})
	if err != nil {
		return c.broken(op, err)
	}
	reply, err := c.reply(ctx)
	switch {
	case ctx.Err() != nil && reply == nil && !c.streamEnded():
		return c.withdraw(ctx, op)
	case err != nil:
		return c.broken(op, err)
	case reply.GetAdded() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := reply.GetAdded().GetError().Err(); err != nil {
		c.over = true
		return fmt.Errorf("plugin %s: %s: %w", c.p.Name(), op, err)
	}
	c.attached.Store(true)
	return nil
}

// withdraw makes the plugin give up an Add whose context ended: a Remove follows
// it, and both are answered.
func (c *conversation) withdraw(ctx context.Context, op string) error {
	cause := context.Cause(ctx)
	defer c.deadline("remove "+c.name, c.p.limits.Remove)()
	if err := c.sendRemove(); err != nil {
		return c.broken(op, err)
	}
	reply, err := c.reply(context.Background())
	if err != nil || reply.GetAdded() == nil {
		return c.broken(op, errors.Join(errWrongReply, err))
	}
	if err := c.removed(context.Background()); err != nil {
		return err
	}
	return fmt.Errorf("plugin %s: %s: given up: %w", c.p.Name(), op, cause)
}

// changed tells the plugin of a change. If ctx ends, the device is leaving: the
// Remove that comes next ends the plugin's work on the change too, and the reply
// that is still owed is passed over.
func (c *conversation) changed(ctx context.Context, dev core.Device, what core.Change) error {
	op := "change " + c.name
	<-c.turn
	defer c.yield()
	if c.over {
		return fmt.Errorf("plugin %s: %s: %w", c.p.Name(), op, errNotAttached)
	}
	defer c.deadline(op, c.p.limits.Change)()
	err := c.send(c.p.limits.Change, &pluginv1.DeviceRequest{
		Request: &pluginv1.DeviceRequest_Change{Change: &pluginv1.Change{Device: pluginv1.NewDevice(dev.Info), What: uint32(what)}},
	})
	if err != nil {
		return c.broken(op, err)
	}
	reply, err := c.reply(ctx)
	switch {
	case ctx.Err() != nil && reply == nil && !c.streamEnded():
		c.owed++
		return fmt.Errorf("plugin %s: %s: given up: %w", c.p.Name(), op, context.Cause(ctx))
	case err != nil:
		return c.broken(op, err)
	case reply.GetChanged() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := reply.GetChanged().GetError().Err(); err != nil {
		return fmt.Errorf("plugin %s: %s: %w", c.p.Name(), op, err)
	}
	return nil
}

// remove returns when the plugin let go of the device, or is dead.
func (c *conversation) remove(ctx context.Context) error {
	op := "remove " + c.name
	select {
	case <-c.turn:
	case <-ctx.Done():
		c.hasten(ctx, op)
		<-c.turn
	}
	defer c.yield()
	if c.over {
		return nil
	}
	defer c.deadline(op, c.p.limits.Remove)()
	if err := c.sendRemove(); err != nil {
		return c.broken(op, err)
	}
	return c.removed(ctx)
}

// hasten kills a plugin that the caller does not want to wait for any longer.
func (c *conversation) hasten(ctx context.Context, op string) {
	c.p.proc.kill(fmt.Errorf("%s: %w: %w", op, ErrHastened, context.Cause(ctx)))
}

// removed waits for the plugin's word. Nothing but a Removed without an error is
// one; anything else has to be made true by the end of the process.
func (c *conversation) removed(ctx context.Context) error {
	op := "remove " + c.name
	c.over = true
	c.attached.Store(false)
	reply, err := c.reply(ctx)
	switch {
	case reply == nil && ctx.Err() != nil:
		c.hasten(ctx, op)
		return c.broken(op, err)
	case err != nil:
		return c.broken(op, err)
	case reply.GetRemoved() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := reply.GetRemoved().GetError().Err(); err != nil {
		return c.broken(op, fmt.Errorf("%w: %w", errNotLetGo, err))
	}
	return nil
}

var (
	errWrongReply = fmt.Errorf("%w: another reply than was asked for", ErrBroken)
	errNotLetGo   = fmt.Errorf("%w: the plugin failed to let go", ErrBroken)
)

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

func (c *conversation) sendRemove() error {
	return c.send(c.p.limits.Remove, &pluginv1.DeviceRequest{
		Request: &pluginv1.DeviceRequest_Remove{Remove: &pluginv1.Remove{}},
	})
}

// reply waits for the next reply that is not owed to an exchange given up, for
// the end of the stream, or for the end of ctx.
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

// deadline kills the plugin if op takes longer than it may. The function it
// returns calls that off.
func (c *conversation) deadline(op string, limit time.Duration) (stop func()) {
	t := time.AfterFunc(limit, func() {
		c.p.proc.kill(fmt.Errorf("%s: %w (%v)", op, ErrDeadline, limit))
	})
	return func() { t.Stop() }
}

// broken ends the process, unless it is dead already, and waits until it is. If
// the stream ended, that may be the first sign of a crash: the process is given a
// moment to end by itself, so that its own reason is the one reported.
func (c *conversation) broken(op string, err error) error {
	c.over = true
	c.attached.Store(false)
	if c.streamEnded() {
		select {
		case <-c.p.proc.done:
		case <-time.After(c.p.limits.Crash):
		}
	}
	c.p.proc.kill(fmt.Errorf("%s: %w", op, err))
	return c.p.dead(op)
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
// the reader nor an answer to a question in the device's name.
func (c *conversation) close() {
	c.calls.close()
	c.cancel()
	<-c.ended
}
