package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

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
