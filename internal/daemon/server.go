package daemon

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// What one connection may use up. Messages have api.MaxRequest.
const (
	callsEach     = 64
	headerOctets  = 16 << 10
	requestWindow = 64 << 10 // octets of requests that are under way unread; the least that gRPC has
	greetingLimit = 5 * time.Second
	idleLimit     = 5 * time.Minute
)

func (d *daemon) newServer(r rights) *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(api.Credentials()),
		grpc.ForceServerCodecV2(api.Codec()),
		grpc.MaxRecvMsgSize(api.MaxRequest),
		grpc.StaticStreamWindowSize(requestWindow), grpc.StaticConnWindowSize(requestWindow),
		grpc.MaxHeaderListSize(headerOctets),
		grpc.MaxConcurrentStreams(callsEach),
		grpc.ConnectionTimeout(greetingLimit),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleLimit}),
		grpc.UnaryInterceptor(r.unary),
		grpc.StreamInterceptor(r.stream),
		grpc.UnknownServiceHandler(d.passOn),
	)
	apiv1.RegisterDaemonServer(s, &service{daemon: d, rights: r, reading: make(chan struct{}, parallelReads)})
	return s
}
