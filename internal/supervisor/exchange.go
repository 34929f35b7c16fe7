package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

var (
	errWrongReply = fmt.Errorf("%w: another reply than was asked for", ErrBroken)
	errNotLetGo   = fmt.Errorf("%w: the plugin failed to let go", ErrBroken)
	// errNotAttached is for a device that no conversation is about.
	errNotAttached = errors.New("device is not attached")
)

// add is the first exchange; its turn is taken already.
func (c *conversation) add(ctx context.Context, dev core.Device) error {
	defer c.yield()
	op := "add " + c.name
	defer c.deadline(op, c.p.limits.Add)()
	if err := c.open(ctx); err != nil {
		if ctx.Err() != nil {
			c.over = true
			return c.givenUp(ctx, op)
		}
		return c.broken(op, err)
	}
	err := c.send(c.p.limits.Add, &pluginv1.DeviceRequest{
		Request: &pluginv1.DeviceRequest_Add{Add: &pluginv1.Add{Device: pluginv1.NewDevice(dev.Info)}},
	})
	if err != nil {
		return c.broken(op, err)
	}
	reply, err := c.reply(ctx)
	switch {
	case c.isGivenUp(ctx, reply):
		return c.withdraw(ctx, op)
	case err != nil:
		return c.broken(op, err)
	case reply.GetAdded() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := reply.GetAdded().GetError().Err(); err != nil {
		c.over = true
		return c.refused(op, err)
	}
	c.attached.Store(true)
	return nil
}

// withdraw makes the plugin give up an Add whose context ended: a Remove follows
// it, and both are answered.
func (c *conversation) withdraw(ctx context.Context, op string) error {
	defer c.deadline("remove "+c.name, c.p.limits.Remove)()
	if err := c.sendRemove(); err != nil {
		return c.broken(op, err)
	}
	reply, err := c.reply(context.Background())
	switch {
	case err != nil:
		return c.broken(op, err)
	case reply.GetAdded() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := c.removed(context.Background()); err != nil {
		return err
	}
	return c.givenUp(ctx, op)
}

// changed tells the plugin of a change. If ctx ends, the device is leaving: the
// Remove that comes next ends the plugin's work on the change too, and the reply
// that is still owed is passed over.
func (c *conversation) changed(ctx context.Context, dev core.Device, what core.Change) error {
	op := "change " + c.name
	<-c.turn
	defer c.yield()
	if c.over {
		return c.refused(op, errNotAttached)
	}
	if c.owed > 0 {
		return c.refused(op, errStillAtIt)
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
	case c.isGivenUp(ctx, reply):
		c.owed++
		return c.givenUp(ctx, op)
	case err != nil:
		return c.broken(op, err)
	case reply.GetChanged() == nil:
		return c.broken(op, errWrongReply)
	}
	if err := reply.GetChanged().GetError().Err(); err != nil {
		return c.refused(op, err)
	}
	return nil
}

// errStillAtIt refuses a change after one that was given up: that happens only to
// a device that is leaving, and nothing is said to a plugin after it but Remove.
var errStillAtIt = errors.New("device is leaving")

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

func (c *conversation) sendRemove() error {
	return c.send(c.p.limits.Remove, &pluginv1.DeviceRequest{
		Request: &pluginv1.DeviceRequest_Remove{Remove: &pluginv1.Remove{}},
	})
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

// hasten kills a plugin that the caller does not want to wait for any longer.
func (c *conversation) hasten(ctx context.Context, op string) {
	c.p.proc.kill(fmt.Errorf("%s: %w: %w", op, ErrHastened, context.Cause(ctx)))
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
		c.p.awaitCrash()
		err = fmt.Errorf("%w: conversation broken off: %w", ErrBroken, err)
	}
	c.p.proc.kill(fmt.Errorf("%s: %w", op, err))
	return c.p.dead(op)
}

// isGivenUp tells whether the caller's ctx ended before there was a reply.
func (c *conversation) isGivenUp(ctx context.Context, reply *pluginv1.DeviceReply) bool {
	return reply == nil && ctx.Err() != nil && !c.streamEnded()
}

func (c *conversation) givenUp(ctx context.Context, op string) error {
	return c.refused(op, fmt.Errorf("given up: %w", context.Cause(ctx)))
}

// refused is an error after which the plugin lives on.
func (c *conversation) refused(op string, err error) error {
	return fmt.Errorf("plugin %s: %s: %w", c.p.Name(), op, err)
}
