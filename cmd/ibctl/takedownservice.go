package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/takedown"
)

// endLimit is how long ibctl serve is given to carry out a verdict, and
// silenceLimit after what time it is mentioned that it says nothing: it speaks every
// second, unless it is stopped or worse.
const (
	endLimit     = 5 * time.Second
	silenceLimit = 3 * time.Second
)

// takedownService finds out where clients are on devices. Unlike verbs that read,
// those that change do not do without an ibctl serve that is there.
func (inv *invocation) takedownService(ctx context.Context) (takedown.Service, error) {
	d, err := inv.askDaemon(ctx)
	switch {
	case err != nil:
		return nil, err
	case d != nil:
		return daemonDrains{d, inv.printer().Note}, nil
	case inv.socket == noSocket:
		if conn, err := api.Dial(ctx, api.Socket); err == nil {
			_ = conn.Close()
			return nil, usagef("--socket %s: ibctl serve is running and has clients of its own on the devices", noSocket)
		}
	case inv.without != nil && !errors.Is(inv.without, api.ErrNotRunning):
		return nil, fmt.Errorf("ibctl serve has clients on the devices, and cannot be asked: %w", inv.without)
	}
	return ownDrains{drained.Open(drained.Dir)}, nil
}

// ownDrains is a host without ibctl serve: no clients are on devices, but those
// of verbs that run, which are holders like others.
type ownDrains struct{ store drained.Store }

// Drain implements takedown.Service.
func (s ownDrains) Drain(ctx context.Context, d rdma.Device, do func(context.Context, takedown.Session) takedown.Verdict) error {
	if v := do(ctx, takedown.Session{}); v.Failed == nil && v.Keep {
		return s.store.Put(d)
	}
	return nil
}

// daemonDrains has ibctl serve take its clients off.
type daemonDrains struct {
	daemon *daemonConn
	note   func(string)
}

// drainStream is the conversation about one device.
type drainStream = grpc.BidiStreamingClient[apiv1.DrainRequest, apiv1.DrainResponse]

// Drain implements takedown.Service. The conversation has a context of its own,
// so that whoever is interrupted can still say how it ends.
func (s daemonDrains) Drain(ctx context.Context, d rdma.Device, do func(context.Context, takedown.Session) takedown.Verdict) error {
	index, ok := d.Index.Get()
	if !ok {
		return fmt.Errorf("drain %s: %w", d.Name, drained.ErrNoIndex)
	}
	talk, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stream, err := s.daemon.DaemonClient.Drain(talk)
	if err != nil {
		return plainStatus(err)
	}
	start := time.Now()
	begin := &apiv1.DrainRequest{Say: &apiv1.DrainRequest_Begin{Begin: &apiv1.KernelDevice{Index: index}}}
	if err := stream.Send(begin); err != nil && !errors.Is(err, io.EOF) {
		return plainStatus(err)
	}
	off, err := s.awaitOff(ctx, stream, d, cancel)
	if err != nil {
		return err
	}
	session := takedown.Session{Clients: off.GetClients(), Took: time.Since(start), Note: noting(stream)}
	verdict, broken := s.whileOff(ctx, stream, session, do)
	late := time.AfterFunc(endLimit, cancel)
	err = broken()
	if !late.Stop() && verdict.Keep {
		return fmt.Errorf("%s: ibctl serve does not say whether it is drained now: no answer within %v: %w", d.Name, endLimit, context.DeadlineExceeded)
	}
	return afterVerdict(verdict, err)
}

// awaitOff returns when the clients are off. If ctx ends before, the clients are
// put back, which is waited for, but not long.
func (s daemonDrains) awaitOff(ctx context.Context, stream drainStream, d rdma.Device, cancel func()) (*apiv1.ClientsOff, error) {
	said := make(chan struct{})
	giveUp := context.AfterFunc(ctx, func() {
		defer close(said)
		_ = stream.Send(failed(context.Cause(ctx)))
		time.AfterFunc(endLimit, cancel)
	})
	news := takedown.NewNews(s.note)
	for {
		m, err := s.next(stream, d)
		if off := m.GetClientsOff(); err == nil && off == nil {
			news.Tell(func() string { return d.Name + ": waiting for " + whoWaits(m.GetWaiting()) + " to let go" })
			continue
		}
		if !giveUp() {
			<-said
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, brokenOff(d, err)
		}
		return m.GetClientsOff(), nil
	}
}

// next returns what ibctl serve says next, and tells when that takes long.
func (s daemonDrains) next(stream drainStream, d rdma.Device) (m *apiv1.DrainResponse, err error) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		m, err = stream.Recv()
	}()
	select {
	case <-said:
		return m, err
	case <-time.After(silenceLimit):
		s.note(fmt.Sprintf("%s: waiting for ibctl serve, which has said nothing for %v", d.Name, silenceLimit))
	}
	<-said
	return m, err
}

// brokenOff says why there is no drain: the daemon's reason, or that it has gone.
func brokenOff(d rdma.Device, err error) error {
	s, ok := status.FromError(err)
	if plain := plainStatus(err); ok && s.Code() == codes.Unavailable && !errors.Is(plain, syscall.EBUSY) {
		return fmt.Errorf("drain %s: ibctl serve has broken off: %w", d.Name, plain)
	}
	return fmt.Errorf("%s: %w", d.Name, plainStatus(err))
}

// whoWaits names those who are waited for.
func whoWaits(w *apiv1.DrainWait) string {
	var who []string
	for _, c := range w.GetClients() {
		text := fmt.Sprintf("client %s (pid %d)", c.GetName(), c.GetPid())
		if answers := c.GetAnswers(); len(answers) > 0 {
			text += ", which answers " + strings.Join(answers, " and ") + ","
		}
		who = append(who, text)
	}
	return cmp.Or(strings.Join(append(who, w.GetLeases()...), ", "), "ibctl serve")
}

// whileOff calls do, and tells ibctl serve what came of it. do's context ends if
// ibctl serve does: whoever it starts again is not told that the device is
// drained. broken waits for the end of the conversation.
func (s daemonDrains) whileOff(ctx context.Context, stream drainStream, session takedown.Session, do func(context.Context, takedown.Session) takedown.Verdict) (takedown.Verdict, func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	end := make(chan error, 1)
	go func() {
		_, err := stream.Recv()
		cancel(fmt.Errorf("ibctl serve has broken off: %w", err))
		end <- err
	}()
	verdict := do(ctx, session)
	request := &apiv1.DrainRequest{Say: &apiv1.DrainRequest_Verdict{Verdict: &apiv1.Verdict{Keep: verdict.Keep}}}
	if verdict.Failed != nil {
		request = failed(verdict.Failed)
	}
	_ = stream.Send(request) // the end of the conversation tells whether it arrived
	_ = stream.CloseSend()
	return verdict, func() error { return <-end }
}

// afterVerdict makes of the end of the conversation what became of the device. One
// that is gone is what was wanted, unless it was to stay.
func afterVerdict(v takedown.Verdict, end error) error {
	if errors.Is(end, io.EOF) || v.Failed != nil {
		return nil
	}
	if !v.Keep && isStatus(codes.FailedPrecondition, codes.NotFound)(end) {
		return nil
	}
	return plainStatus(end)
}

func failed(err error) *apiv1.DrainRequest {
	return &apiv1.DrainRequest{Say: &apiv1.DrainRequest_Verdict{Verdict: &apiv1.Verdict{Failed: pluginv1.NewError(err)}}}
}

func noting(stream drainStream) func(journal.Event) {
	return func(e journal.Event) {
		_ = stream.Send(&apiv1.DrainRequest{Say: &apiv1.DrainRequest_Note{Note: apiv1.NewEvent(e)}})
	}
}
