package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// ErrNotRunning says that nobody listens on the socket.
var ErrNotRunning = errors.New("ibctl serve is not running")

// ErrStranger says that whoever listens is neither root nor the caller.
var ErrStranger = errors.New("the socket is not ibctl serve's")

// Conn is a connection to ibctl serve. It is made once: when it breaks, calls
// fail with codes.Unavailable. Errors show the errno that they carry to errors.Is.
type Conn struct {
	*grpc.ClientConn
	apiv1.DaemonClient
	socket net.Conn
}

// Close closes the connection; calls under way fail.
func (c *Conn) Close() error {
	err := c.ClientConn.Close()
	_ = c.socket.Close() // gRPC has never seen it if there was no call
	return err
}

// Dial connects to the daemon at path. [ErrNotRunning] says that there is none,
// fs.ErrPermission that the caller may not connect. Close must follow.
func Dial(ctx context.Context, path string) (*Conn, error) {
	socket, err := connect(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	var used atomic.Bool
	conn, err := grpc.NewClient("passthrough:///ibctl",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errors.New("the connection to ibctl serve has ended")
			}
			return socket, nil
		}),
		grpc.WithTransportCredentials(Credentials()),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithStaticStreamWindowSize(Window), grpc.WithStaticConnWindowSize(Window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxReply), grpc.ForceCodecV2(Codec())),
		grpc.WithChainUnaryInterceptor(unaryErrors),
		grpc.WithChainStreamInterceptor(streamErrors),
	)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	conn.Connect() // the daemon waits only so long for who connects and says nothing
	return &Conn{conn, apiv1.NewDaemonClient(conn), socket}, nil
}

// connect connects, and makes sure that whoever listens may be believed.
func connect(ctx context.Context, path string) (net.Conn, error) {
	socket, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil:
		return nil, err
	}
	listener, err := PeerOf(socket)
	if err == nil && listener.UID != 0 && listener.UID != uint32(os.Geteuid()) {
		err = fmt.Errorf("%w: user %d listens", ErrStranger, listener.UID)
	}
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return socket, nil
}

// Client returns the connection for the services of one client.
func (c *Conn) Client(name string) grpc.ClientConnInterface { return clientConn{c.ClientConn, name} }

type clientConn struct {
	grpc.ClientConnInterface
	name string
}

// Invoke implements grpc.ClientConnInterface.
func (c clientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.ClientConnInterface.Invoke(metadata.AppendToOutgoingContext(ctx, ClientKey, c.name), method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (c clientConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.ClientConnInterface.NewStream(metadata.AppendToOutgoingContext(ctx, ClientKey, c.name), desc, method, opts...)
}
