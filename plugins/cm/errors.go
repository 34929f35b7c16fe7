package cm

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/ucma"
)

// meanings are the gRPC codes of errors that mean something to whoever asks:
// sentinels do not travel over the wire.
var meanings = []struct {
	is   error
	code codes.Code
}{
	{ucma.ErrUnavailable, codes.Unavailable},
	{configfs.ErrUnavailable, codes.Unavailable},
	{nldev.ErrUnavailable, codes.Unavailable},
	{sysfs.ErrNoCMCounters, codes.Unavailable},
	{configfs.ErrUnsupported, codes.Unimplemented},
	{ucma.ErrNoDevice, codes.NotFound},
	{ucma.ErrDeviceGone, codes.NotFound},
	{configfs.ErrNoDevice, codes.NotFound},
	{nldev.ErrNoDevice, codes.NotFound},
	{sysfs.ErrNoDevice, codes.NotFound},
	{sysfs.ErrNoPort, codes.NotFound},
	{sysfs.ErrVanished, codes.NotFound},
	{ucma.ErrNoNeighbour, codes.DeadlineExceeded},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// withCode gives an error the code that it means, unless it has one.
func withCode(err error) error {
	if err == nil || status.Code(err) != codes.Unknown {
		return err
	}
	for _, m := range meanings {
		if errors.Is(err, m.is) {
			return status.Error(m.code, err.Error())
		}
	}
	return err
}
