package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ibctl/ibctl/internal/api"
)

// calls are those that are passed on: who waits for a client to let go wants to
// know whom it still answers.
type calls struct {
	mu   sync.Mutex
	next int
	open map[int]call
}

type call struct{ client, text string }

// begin notes a call to a client, until end is called.
func (c *calls) begin(ctx context.Context, client, method string) (end func()) {
	text := strings.TrimPrefix(method, "/")
	if p, ok := api.Caller(ctx); ok && p.PID != 0 {
		text = fmt.Sprintf("process %d (%s)", p.PID, text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[int]call{}
	}
	c.next++
	number := c.next
	c.open[number] = call{client, text}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, number)
	}
}

// to describes the calls to a client, sorted.
func (c *calls) to(client string) (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		if one.client == client {
			list = append(list, one.text)
		}
	}
	slices.Sort(list)
	return list
}
