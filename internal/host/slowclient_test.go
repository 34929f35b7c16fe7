package host

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ibctl/ibctl/core"
)

// slowClient takes a random time over everything, and fails at times. It counts
// Adds less Removes.
type slowClient struct {
	*client
	random *rand.Rand // guarded by mu
	on     map[core.ID]int
}

func (c *slowClient) pause(ctx context.Context) error {
	c.mu.Lock()
	d, fails := time.Duration(c.random.IntN(20))*time.Millisecond, c.random.IntN(20) == 0
	c.mu.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if fails {
		return errors.New("no")
	}
	return nil
}

func (c *slowClient) Add(ctx context.Context, d core.Device) (any, error) {
	err := c.pause(ctx)
	if err == nil {
		c.count(d, 1)
	}
	return nil, err
}

func (c *slowClient) Remove(ctx context.Context, d core.Device, _ any) error {
	_ = c.pause(ctx)
	c.count(d, -1)
	return nil
}

func (c *slowClient) Changed(ctx context.Context, d core.Device, _ any, _ core.Change) error {
	return c.pause(ctx)
}

func (c *slowClient) count(d core.Device, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on[d.ID] += n; c.on[d.ID] == 0 {
		delete(c.on, d.ID)
	}
}
