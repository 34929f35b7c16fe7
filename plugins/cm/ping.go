package cm

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// What a ping does unless told otherwise.
const (
	defaultInterval    = time.Second
	defaultPingTimeout = time.Second
	// minInterval keeps a ping from becoming a burden to the remote: each
	// question costs its kernel a work item and an answer.
	minInterval = 10 * time.Millisecond
)

// Ping implements [cmv1.CMServer].
func (s *service) Ping(req *cmv1.PingRequest, stream grpc.ServerStreamingServer[cmv1.PingReply]) error {
	q, err := newQuestion(req.GetDestination(), req.GetSource())
	if err != nil {
		return err
	}
	timeout := timeoutOr(req.GetTimeoutMs(), defaultPingTimeout)
	next := time.NewTicker(max(timeoutOr(req.GetIntervalMs(), defaultInterval), minInterval))
	defer next.Stop()
	for seq := uint32(1); req.GetCount() == 0 || seq <= req.GetCount(); seq++ {
		if seq > 1 && !tick(stream.Context(), next.C) {
			break
		}
		reply, err := s.client.probeWithin(stream.Context(), timeout, q)
		if err != nil {
			return withCode(err)
		}
		reply.Seq = seq
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
	return stream.Context().Err()
}

func (c *Client) probeWithin(ctx context.Context, timeout time.Duration, q question) (*cmv1.PingReply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.probe(ctx, q)
}

// tick waits for the next turn; false means that the call has ended.
func tick(ctx context.Context, turns <-chan time.Time) bool {
	select {
	case <-turns:
		return true
	case <-ctx.Done():
		return false
	}
}
