package api

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// skew is by how much the other side may find that a deadline has passed before
// this one does.
const skew = time.Second

// told gives an error back its errno. The other side keeps the same deadline, and
// where it is the first to find that it has passed, it breaks off without a
// reason: then the deadline is the reason. gRPC may see that before ctx does, which
// is waited for: whoever gets the error may ask ctx.
func told(ctx context.Context, err error) error {
	deadline, limited := ctx.Deadline()
	brokenOff := status.Code(err) == codes.Canceled || status.Code(err) == codes.DeadlineExceeded
	if limited && brokenOff && time.Until(deadline) < skew {
		<-ctx.Done()
		err = status.FromContextError(ctx.Err()).Err()
	}
	return pluginv1.FromStatus(err)
}

// unaryErrors and streamErrors do so for all calls.
func unaryErrors(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return told(ctx, invoke(ctx, method, req, reply, cc, opts...))
}

func streamErrors(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, told(ctx, err)
	}
	return errorStream{stream, ctx}, nil
}

// errorStream keeps the caller's ctx: the stream's own is cancelled when the stream
// ends, for whatever reason.
type errorStream struct {
	grpc.ClientStream
	caller context.Context
}

// RecvMsg implements grpc.ClientStream.
func (s errorStream) RecvMsg(m any) error { return told(s.caller, s.ClientStream.RecvMsg(m)) }

// Header implements grpc.ClientStream.
func (s errorStream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	return md, told(s.caller, err)
}
