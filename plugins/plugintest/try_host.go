package plugintest

import (
	"context"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// The rules for what a plugin asks and tells ibctl.

// removeWhile takes a device off the plugin while ibctl answers as given.
func (h *host) removeWhile(answer func(context.Context) ([]core.Device, error)) {
	r := h.start()
	dev := r.next(0)
	r.add(dev)
	h.answer.Store(&answer)
	inTime := h.within(func() {
		if err := r.Remove(context.Background(), dev, nil); err != nil {
			h.errorf("%v", err)
		}
	}, r.late)
	if !inTime {
		h.errorf("Remove took more than %v", h.plugin.patience)
	}
}

func tryFailingHost(c *trial) {
	c.host(supervisor.Limits{}).removeWhile(func(context.Context) ([]core.Device, error) { return nil, syscall.EIO })
}

// trySlowHost lets every question run into ibctl's own limit for answers.
func trySlowHost(c *trial) {
	h := c.host(supervisor.Limits{HostCall: 200 * time.Millisecond, Remove: 2 * c.plugin.patience})
	h.removeWhile(func(ctx context.Context) ([]core.Device, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
}

// lull is how long a device that was removed is watched.
const lull = 300 * time.Millisecond

func tryLastCall(c *trial) {
	h := c.host(supervisor.Limits{})
	r := h.start()
	for i := range 4 {
		dev := r.next(i)
		r.add(dev)
		if err := r.Remove(context.Background(), dev, nil); err != nil {
			c.fatalf("%v", err)
		}
	}
	time.Sleep(lull)
	_ = r.stop()
	if n := h.stray.Load(); n > 0 {
		c.errorf("%d questions came in the name of devices that were removed", n)
	}
}

func tryLastEvent(c *trial) {
	r := c.start()
	var talks []*talk
	for i := range 4 {
		t := r.attach(r.next(i))
		if err := t.remove(); err != nil {
			c.fatalf("Remove: %v", err)
		}
		talks = append(talks, t)
	}
	time.Sleep(lull)
	for _, t := range talks {
		t.end()
		if n := t.late.Load(); n > 0 {
			c.errorf("%d events came from a device that was removed", n)
		}
	}
}
