package supervisor

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// maxReply bounds one message from a plugin; go-plugin's own bound is 2 GiB.
const maxReply = 64 << 20

// errSecondDial is what gRPC gets when it wants to connect again.
var errSecondDial = errors.New("the connection to the plugin has ended")

// dialer connects to a plugin once. A second connection would be to a process
// that has lost its state or is not the one that was started: it is always a
// fault. The socket is removed as soon as it is connected, so nobody else can
// connect either, and nothing is left behind if ibctl is killed.
type dialer struct {
	addr net.Addr
	dir  string
	used atomic.Bool

	mu     sync.Mutex
	closed bool
	// conn is gRPC's connection. go-plugin keeps it to itself where it fails half
	// way, and does not close it.
	conn *grpc.ClientConn
}

func (d *dialer) dial(ctx context.Context, _ string) (net.Conn, error) {
	if d.used.Swap(true) {
		return nil, errSecondDial
	}
	conn, err := new(net.Dialer).DialContext(ctx, d.addr.Network(), d.addr.String())
	_ = os.RemoveAll(d.dir)
	return conn, err
}

// note learns of the connection from its first use.
func (d *dialer) note(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	d.mu.Lock()
	d.conn = cc
	closed := d.closed
	d.mu.Unlock()
	if closed {
		_ = cc.Close()
	}
	return open(ctx, desc, cc, method, opts...)
}

// close ends the connection and all that goes on in it. It may be called again.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// window is how much of an answer may be on its way unread. A fixed one spares the
// pings with which gRPC would measure the connection.
const window = 1 << 20

// dialOptions turn off everything by which gRPC would repeat or reconnect: a
// lifecycle call happens once.
func dialOptions(d *dialer, callTimeout time.Duration) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(d.dial),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply), grpc.ForceCodecV2(pluginv1.Codec())),
		grpc.WithChainUnaryInterceptor(bounded(callTimeout), unaryErrors),
		grpc.WithChainStreamInterceptor(d.note, streamErrors),
	}
}

// bounded gives a deadline to each unary call that has none, go-plugin's own
// included.
func bounded(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// unaryErrors and streamErrors give errors back their errno.
func unaryErrors(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return pluginv1.FromStatus(invoke(ctx, method, req, reply, cc, opts...))
}

func streamErrors(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, pluginv1.FromStatus(err)
	}
	return errorStream{stream}, nil
}

type errorStream struct{ grpc.ClientStream }

// RecvMsg implements grpc.ClientStream.
func (s errorStream) RecvMsg(m any) error { return pluginv1.FromStatus(s.ClientStream.RecvMsg(m)) }
