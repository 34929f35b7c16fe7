package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// maxMessage bounds what the plugin accepts in one message; it is gRPC's default
// for servers, made visible. What may grow beyond it is sent in parts.
const maxMessage = 4 << 20

// Exit statuses of a plugin process that Serve ends by itself.
const (
	// ExitUsage: the process was not started by ibctl.
	ExitUsage = 64
	// ExitOrphan: ibctl is gone.
	ExitOrphan = 75
)

// Serve is a plugin's main: it serves client to the ibctl that started the
// process, until ibctl says that it is over. Then it returns, and main should
// too, at once. When ibctl dies, Serve ends the process.
//
// Serve makes package slog's default logger write to ibctl's log. What the
// process prints on os.Stdout and os.Stderr goes there too.
func Serve(client Client) {
	if os.Getenv(EnvCookie) != CookieValue {
		fmt.Fprintf(os.Stderr, "%s is a plugin of ibctl and is started by it: see ibctl-plugin(7)\n", os.Args[0])
		os.Exit(ExitUsage)
	}
	childless := becomeChildless()
	stderr := os.Stderr
	logTo(stderr)
	go followHost(os.Stdin, stderr)
	s := newServer(client, childless)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         goplugin.PluginSet{ServiceName: service{server: s}},
		GRPCServer:      grpcServer,
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: stderr}),
	})
}

// followHost ends the process when the host does: standard input is a pipe whose
// other end the host alone holds.
func followHost(stdin, stderr *os.File) {
	_, err := io.Copy(io.Discard, stdin)
	fmt.Fprintln(stderr, "plugin: standard input ended, so ibctl is gone; exiting", errText(err))
	os.Exit(ExitOrphan)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return "(" + err.Error() + ")"
}

// window is how much may be on its way unread. Left to itself gRPC measures the
// connection, with a ping and its answer for each reply; a socket within one host
// needs no measuring.
const window = 1 << 20

func grpcServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts,
		grpc.ForceServerCodecV2(pluginv1.Codec()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window),
		grpc.UnaryInterceptor(unaryErrors),
		grpc.StreamInterceptor(streamErrors),
	)...)
}

// unaryErrors and streamErrors let any handler return plain errors: errno and all
// arrive at the other side.
func unaryErrors(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	return resp, pluginv1.ToStatus(err)
}

func streamErrors(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return pluginv1.ToStatus(handler(srv, stream))
}

// service is what go-plugin wants to be given: it registers services and does
// nothing else.
type service struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server
}

// GRPCServer implements goplugin.GRPCPlugin.
func (p service) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	p.server.register(s)
	return nil
}

// GRPCClient implements goplugin.GRPCPlugin; the plugin's side has no use for it.
func (service) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}
