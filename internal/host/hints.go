package host

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/uevent"
)

// hint says that something may have changed, and about which device. One that
// names none is about any; one with a netdev about those with a port on it.
type hint struct {
	index  rdma.Opt[uint32]
	name   string
	netdev rdma.Opt[uint32]
}

// hints are those that came together.
type hints struct {
	all    bool // everything is to be read anew
	glance bool // a glance is to tell what
	some   []hint
}

func (t *hints) add(h hint) {
	if h == (hint{}) {
		t.all = true
	}
	t.some = append(t.some, h)
}

// concern tells whether one of them is about d, which is in a keeper's care.
func (t *hints) concern(d rdma.Device, k *keeper) bool {
	return t.all || slices.ContainsFunc(t.some, func(h hint) bool {
		return h.name != "" && h.name == d.Name || h.index.IsKnown() && h.index == d.Index || k.isOn(h.netdev)
	})
}

// source sends hints until ctx ends.
type source func(ctx context.Context, send func(context.Context, hint), report func(error))

// retryAfter is how long a source waits before it listens anew after an error, and
// askAgainAfter before it looks for something that this host has not.
const (
	retryAfter    = time.Second
	askAgainAfter = time.Minute
)

// sleep waits, and tells whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// uevents hears of devices, and of their character devices: when a device is
// removed, those go first, and may be all that goes for a long time if somebody
// holds the device.
func (h *Host) uevents(ctx context.Context, send func(context.Context, hint), report func(error)) {
	for {
		if err := hearUEvents(ctx, send); ctx.Err() == nil {
			report(err)
		}
		if !sleep(ctx, retryAfter) {
			return
		}
		send(ctx, hint{})
	}
}

func hearUEvents(ctx context.Context, send func(context.Context, hint)) error {
	l, err := uevent.Listen()
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		e, err := l.Receive(ctx)
		switch {
		case errors.Is(err, uevent.ErrLost), errors.Is(err, uevent.ErrMalformed):
			send(ctx, hint{})
		case err != nil:
			return err
		case e.Subsystem == "infiniband":
			send(ctx, hint{name: e.Name()})
		case e.Subsystem == "infiniband_verbs", e.Subsystem == "infiniband_mad":
			send(ctx, hint{name: e.Subsystem}) // no device has that name: the list alone is read
		}
	}
}

// monitor hears the events of nldev, where the kernel has them.
func (h *Host) monitor(ctx context.Context, send func(context.Context, hint), report func(error)) {
	for {
		err := h.hearMonitor(ctx, send)
		switch {
		case errors.Is(err, nldev.ErrUnsupported):
			return // uevents and the resync do
		case errors.Is(err, nldev.ErrUnavailable): // the RDMA core is not loaded; uevents tell when it is
			if !sleep(ctx, askAgainAfter) {
				return
			}
			continue
		case ctx.Err() == nil:
			report(err)
		}
		if !sleep(ctx, retryAfter) {
			return
		}
		send(ctx, hint{})
	}
}

func (h *Host) hearMonitor(ctx context.Context, send func(context.Context, hint)) error {
	conn := h.netlink()
	if conn == nil {
		return nldev.ErrUnavailable
	}
	m, err := conn.Monitor(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	send(ctx, hint{}) // for what happened before the subscription
	for {
		events, err := m.Receive(ctx)
		switch {
		case errors.Is(err, nldev.ErrLost), errors.Is(err, nldev.ErrMalformed):
			send(ctx, hint{})
		case err != nil:
			return err
		}
		for _, e := range events {
			send(ctx, hint{index: e.Index}) // without an index, of any device
		}
	}
}
