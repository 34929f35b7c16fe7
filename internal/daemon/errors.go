package daemon

import (
	"errors"
	"fmt"
	"syscall"

	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/drained"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// refusef returns an error with the code that callers get, and an errno if that
// is not zero.
func refusef(code codes.Code, errno syscall.Errno, format string, args ...any) error {
	return &pluginv1.RemoteError{Code: code, Errno: errno, Message: fmt.Sprintf(format, args...)}
}

// coded gives err the code that tells callers what to make of it. The text stays.
func coded(err error) error {
	for _, c := range []struct {
		is   error
		code codes.Code
	}{
		{host.ErrNoRDMA, codes.Unavailable},
		{supervisor.ErrNotRunning, codes.Unavailable},
		{core.ErrNotRegistered, codes.NotFound},
		{core.ErrLeaving, codes.FailedPrecondition},
		{core.ErrStale, codes.FailedPrecondition},
		{core.ErrNotAttached, codes.FailedPrecondition},
		{drained.ErrNoIndex, codes.Unavailable},
		{config.ErrRefused, codes.PermissionDenied},
	} {
		if errors.Is(err, c.is) {
			out := pluginv1.NewError(err)
			out.Code = uint32(c.code)
			return out.Err()
		}
	}
	if errors.Is(err, core.ErrDraining) {
		return refusef(codes.Unavailable, syscall.EBUSY, "%v", err)
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return refusef(codes.InvalidArgument, 0, "%v", err)
	}
	return err
}
