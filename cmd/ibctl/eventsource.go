package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/journal"
)

// keptHere is how far printing may be behind, where there is no ibctl serve.
const keptHere = 4096

// daemonEvents are those of ibctl serve.
type daemonEvents struct {
	stream grpc.ServerStreamingClient[apiv1.WatchEventsResponse]
	follow bool
}

// watch returns when ibctl serve has begun to note what is to be sent.
func (d *daemonConn) watch(ctx context.Context, replay, follow bool) (eventSource, error) {
	stream, err := d.WatchEvents(ctx, &apiv1.WatchEventsRequest{Replay: replay, Follow: follow})
	if err != nil {
		return nil, plainStatus(err)
	}
	if _, err := stream.Header(); err != nil {
		return nil, plainStatus(pluginv1.FromStatus(err))
	}
	return &daemonEvents{stream, follow}, nil
}

// Next implements eventSource. The stream ends with the context it was opened
// with.
func (d *daemonEvents) Next(context.Context) (journal.Event, error) {
	m, err := d.stream.Recv()
	switch {
	case errors.Is(err, io.EOF) && d.follow:
		return journal.Event{}, &pluginv1.RemoteError{Code: codes.Unavailable, Message: "ibctl serve has ended"}
	case err != nil:
		return journal.Event{}, err
	case m.GetEvent() == nil:
		return journal.Event{}, &journal.MissedError{Count: m.GetMissed()}
	}
	return m.GetEvent().Journal(), nil
}

// followHere follows the devices in this process, without clients, until stop is
// called.
func (inv *invocation) followHere(ctx context.Context) (source eventSource, stop func(), err error) {
	h, err := host.Open(host.Options{})
	if err != nil {
		return nil, nil, err
	}
	if _, _, err := h.Devices(ctx); err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	inv.hint("ibctl serve is not running: following the devices from here, without clients")
	ctx, cancel := context.WithCancel(ctx)
	registry, kept := core.NewRegistry(core.Options{}), journal.New(keptHere)
	recorder := journal.NewRecorder(registry, kept)
	source = kept.Replay()
	var working sync.WaitGroup
	working.Go(func() { recorder.Run(ctx) })
	working.Go(func() {
		_ = h.Follow(ctx, registry, host.FollowOptions{Report: func(err error) {
			kept.Append(journal.Event{Kind: journal.HostUnreadable, Error: err.Error()})
		}})
	})
	return source, func() {
		cancel()
		working.Wait()
		_ = h.Close()
	}, nil
}
