package daemon

import (
	"context"
	"log/slog"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/api"
)

// rights decide who may do what.
type rights struct {
	own uint32 // the daemon's user, root as a rule
	gid int    // the group that may read; -1 for none
	log *slog.Logger
}

func (r rights) mayChange(p api.Peer) bool { return p.UID == 0 || p.UID == r.own }

func (r rights) mayRead(p api.Peer) bool {
	return r.mayChange(p) || r.gid >= 0 && p.In(uint32(r.gid))
}

// admit refuses what the caller may not do, and notes what is more than reading.
func (r rights) admit(ctx context.Context, method string) error {
	caller, known := api.Caller(ctx)
	reading := api.ReadOnly(method)
	switch {
	case !known:
		return refusef(codes.Unauthenticated, syscall.EPERM, "nobody knows who asks")
	case r.mayChange(caller):
	case !r.mayRead(caller):
		return refusef(codes.PermissionDenied, syscall.EPERM, "user %d may not ask ibctl serve: neither root nor in its group", caller.UID)
	case !reading:
		return refusef(codes.PermissionDenied, syscall.EPERM, "user %d may read, and only root may do this", caller.UID)
	}
	if !reading {
		r.log.Info("call", "method", method, "user", caller.UID, "pid", caller.PID)
	}
	return nil
}

// unary and stream are the interceptors. A handler may return any error: its
// errno arrives at the other side.
func (r rights) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := r.admit(ctx, info.FullMethod); err != nil {
		return nil, pluginv1.ToStatus(err)
	}
	if api.ReadOnly(info.FullMethod) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readLimit)
		defer cancel()
	}
	reply, err := handle(ctx, req)
	return reply, pluginv1.ToStatus(err)
}

func (r rights) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := r.admit(stream.Context(), info.FullMethod); err != nil {
		return pluginv1.ToStatus(err)
	}
	return pluginv1.ToStatus(handle(srv, stream))
}
