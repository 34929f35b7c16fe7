package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/rtevent"
)

// linkPause is how long messages about links are gathered. The kernel sends them
// in bursts, and each before it has told its own drivers.
const linkPause = 50 * time.Millisecond

// links hears of netdevs: a port of Ethernet is up or down, and called what it is,
// along with its netdev, and RDMA has no event for that.
func (h *Host) links(ctx context.Context, send func(context.Context, hint), report func(error)) {
	heard := make(chan hint)
	var gathering sync.WaitGroup
	gathering.Go(func() { gather(ctx, heard, send) })
	defer gathering.Wait()
	for {
		if err := hearLinks(ctx, heard); ctx.Err() == nil {
			report(err)
		}
		if !sleep(ctx, retryAfter) {
			return
		}
		send(ctx, hint{})
	}
}

func hearLinks(ctx context.Context, heard chan<- hint) error {
	l, err := rtevent.Listen(rtevent.OwnLinks)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		events, err := l.Receive(ctx)
		if errors.Is(err, rtevent.ErrLost) || errors.Is(err, rtevent.ErrMalformed) {
			events, err = append(events, rtevent.Event{}), nil
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			select {
			case heard <- linkHint(e.Index):
			case <-ctx.Done():
			}
		}
	}
}

// linkHint is about the ports on a link; no link has the index 0, which stands for
// any.
func linkHint(index uint32) hint {
	if index == 0 {
		return hint{}
	}
	return hint{netdev: rdma.Known(index)}
}

// gather sends what it hears within a short while together, each once.
func gather(ctx context.Context, heard <-chan hint, send func(context.Context, hint)) {
	pending := map[hint]bool{}
	pause := time.NewTimer(0)
	<-pause.C
	for {
		select {
		case h := <-heard:
			if len(pending) == 0 {
				pause.Reset(linkPause)
			}
			pending[h] = true
		case <-pause.C:
			for h := range pending {
				send(ctx, h)
			}
			clear(pending)
		case <-ctx.Done():
			return
		}
	}
}
