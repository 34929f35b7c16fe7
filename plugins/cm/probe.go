package cm

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/ucma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// probeQPN is the queue pair number that probes name as theirs.
//
// The remote looks up the requester's device and QPN among its connections before
// it looks for a listener, and where it finds them it takes the old connection
// for stale and *disconnects it* (IBTA 12.9.8.3.1; drivers/infiniband/core/cm.c,
// cm_match_req). A made-up number that is in use would end somebody's connection.
// QPN 1 is the general services interface (IBTA 3.9.3), which carries the
// connection manager's own messages and is never connected: no connection can
// have it. Unlike a number that no list of QPs showed a moment ago, it needs no
// list, which would lack those that a driver's own commands made (mlx5 DEVX), and
// cannot be taken meanwhile.
//
// Two probes of one host at the same time have the number in common; the remote
// then answers the second with "stale connection" and hurts neither, as there is
// no connection to end. It is asked again.
const probeQPN = 1

// How often, and after how long a pause, a host is asked again that answered
// another probe at the same moment.
const (
	busyTries = 8
	busyPause = 20 * time.Millisecond
)

// probe asks the remote connection manager once. The error is for what no other
// probe would change; everything else is in the reply.
func (c *Client) probe(ctx context.Context, q question) (*cmv1.PingReply, error) {
	var reply *cmv1.PingReply
	for range busyTries {
		err := c.fleet.run(ctx, func(ctx context.Context, s *session) (err error) {
			reply, err = c.probeOnce(ctx, s, q)
			return err
		})
		if err != nil {
			return failedProbe(ctx, err)
		}
		if reply.GetOutcome() != cmv1.Outcome_OUTCOME_BUSY || !pause(ctx, rand.N(busyPause)) {
			break
		}
	}
	return reply, nil
}

// pause waits, and tells whether there is time left after it.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) probeOnce(ctx context.Context, s *session, q question) (*cmv1.PingReply, error) {
	start := time.Now()
	w, err := c.findWay(ctx, s, q)
	if err != nil {
		return nil, err
	}
	resolved := time.Since(start).Nanoseconds()
	reply := &cmv1.PingReply{
		Device:    w.device.Info().Name,
		Port:      w.route.Port,
		Source:    cmv1.NewAddress(w.route.Source),
		ResolveNs: &resolved,
	}
	err = checkTransport(w.device.Info())
	if err == nil {
		err = w.ask(ctx, reply)
	}
	return reply, errors.Join(err, w.Close())
}

// checkTransport refuses to probe over anything but an InfiniBand connection
// manager. On iWARP the kernel looks the number up among the device's QPs,
// whoever they belong to, and connects the one it finds (iwcm.c, iw_cm_connect).
func checkTransport(info rdma.Device) error {
	switch info.Protocol {
	case rdma.ProtocolIB, rdma.ProtocolRoCE, rdma.ProtocolOPA:
		return nil
	case "":
		if t, known := info.NodeType.Get(); known && t == rdma.NodeCA {
			return nil
		}
	}
	return status.Errorf(codes.Unimplemented, "the way leads over %s, whose protocol (%s) has no connection manager that could be asked without a queue pair of one's own", info.Name, protocolText(info))
}

func protocolText(info rdma.Device) string {
	if info.Protocol == "" {
		return "unknown"
	}
	return string(info.Protocol)
}

// ask sends the request and fills in what came of it.
func (w *way) ask(ctx context.Context, reply *cmv1.PingReply) error {
	nonce := rand.Uint64()
	sent := time.Now()
	if err := w.id.Connect(ucma.ConnectParams{QPN: probeQPN, PrivateData: encodePing(nonce)}); err != nil {
		return err
	}
	e, err := w.await(ctx)
	rtt := time.Since(sent).Nanoseconds()
	if err != nil {
		return err
	}
	judge(e, nonce, reply)
	if reply.GetOutcome().Alive() {
		reply.RttNs = &rtt
	}
	if e.Type == ucma.EventConnectResponse {
		return w.id.Reject(nil)
	}
	return nil
}

// judge says what an event after a connection request means.
func judge(e ucma.Event, nonce uint64, reply *cmv1.PingReply) {
	switch e.Type {
	case ucma.EventConnectResponse:
		reply.Outcome = cmv1.Outcome_OUTCOME_ACCEPTED
	case ucma.EventRejected:
		judgeRejection(e, nonce, reply)
	default: // UNREACHABLE, CONNECT_ERROR: the request did not get out
		reply.Outcome = cmv1.Outcome_OUTCOME_UNREACHABLE
		err := e.Err()
		if err == nil {
			err = unexpected(e)
		}
		reply.Error = pluginv1.NewError(err)
	}
}

func judgeRejection(e ucma.Event, nonce uint64, reply *cmv1.PingReply) {
	reply.Reason, reply.ReasonText = uint32(e.Reason()), e.Reason().String()
	switch e.Reason() {
	case ucma.RejectNoListener:
		reply.Outcome = cmv1.Outcome_OUTCOME_NO_LISTENER
	case ucma.RejectStale:
		reply.Outcome = cmv1.Outcome_OUTCOME_BUSY
	case ucma.RejectConsumer, ucma.RejectVendor:
		reply.Outcome = cmv1.Outcome_OUTCOME_REJECTED
		if who, err := decodeAnswer(e.PrivateData, nonce); err == nil {
			reply.Outcome = cmv1.Outcome_OUTCOME_IDENTIFIED
			reply.Identity = who.message()
		}
	default:
		reply.Outcome = cmv1.Outcome_OUTCOME_REFUSED
	}
}

// errSilent is said of a request that went out and met with silence.
var errSilent = status.Error(codes.DeadlineExceeded, "no answer in time")

// failedProbe tells a probe without an answer from one that need not be repeated.
func failedProbe(ctx context.Context, err error) (*cmv1.PingReply, error) {
	switch {
	case errors.Is(err, context.Canceled), hopeless(err):
		return nil, err
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		return &cmv1.PingReply{Outcome: cmv1.Outcome_OUTCOME_TIMED_OUT, Error: pluginv1.NewError(errSilent)}, nil
	}
	return &cmv1.PingReply{Outcome: cmv1.Outcome_OUTCOME_UNREACHABLE, Error: pluginv1.NewError(err)}, nil
}

// hopeless tells errors that will be the same next time.
func hopeless(err error) bool {
	switch status.Code(err) {
	case codes.Unimplemented, codes.InvalidArgument:
		return true
	}
	return errors.Is(err, ucma.ErrUnavailable) || errors.Is(err, ucma.ErrNoDevice) || errors.Is(err, fs.ErrPermission)
}
