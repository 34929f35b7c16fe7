package daemon

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/ibctl/ibctl/internal/api"
)

// passOn hands a call to the client that it is meant for, and its answer back.
// Methods have one request; any number of replies may follow. Who may make the
// call has been decided.
func (d *daemon) passOn(_ any, in grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(in)
	names := metadata.ValueFromIncomingContext(in.Context(), api.ClientKey)
	if len(names) != 1 || reserved(method) {
		return refusef(codes.Unimplemented, 0, "%s: this ibctl serve has no such method", method)
	}
	conn, err := d.clients.conn(names[0])
	if err != nil {
		return err
	}
	defer d.calls.begin(in.Context(), names[0], method)()
	ctx, cancel := passing(in.Context(), method)
	defer cancel(nil)
	out, err := forward(ctx, conn, method, in)
	if err != nil {
		return coded(err)
	}
	err = back(in, out, cancel)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errSlowReader) {
		return refusef(codes.ResourceExhausted, 0, "%v", cause)
	}
	return coded(err)
}

// reserved tells whether a method is part of what holds plugins together, and so
// not for anybody else.
func reserved(method string) bool {
	for _, prefix := range []string{"/ibctl.plugin.", "/plugin.", "/grpc."} {
		if strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

// passing returns the context of the call to the client. What has one answer has
// a limit, too.
func passing(ctx context.Context, method string) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if !api.Unary(method) {
		return ctx, cancel
	}
	ctx, stop := context.WithTimeout(ctx, readLimit)
	return ctx, func(cause error) {
		cancel(cause)
		stop()
	}
}

// forward sends the request.
func forward(ctx context.Context, conn grpc.ClientConnInterface, method string, in grpc.ServerStream) (grpc.ClientStream, error) {
	var request api.Frame
	if err := in.RecvMsg(&request); err != nil {
		return nil, err
	}
	out, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodecV2(api.Codec()))
	if err != nil {
		return nil, err
	}
	if err := out.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return out, out.CloseSend()
}

var errSlowReader = errors.New("the answer was not read in time")

// back returns the replies. While one is on its way, the client may be kept from
// letting go of a device: a caller that does not read loses the call.
func back(in grpc.ServerStream, out grpc.ClientStream, cancel context.CancelCauseFunc) error {
	for {
		var reply api.Frame
		if err := out.RecvMsg(&reply); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		patience := time.AfterFunc(sendLimit, func() { cancel(errSlowReader) })
		err := in.SendMsg(&reply)
		patience.Stop()
		if err != nil {
			return err
		}
	}
}
