package roce

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/internal/sysfs"
)

// notFound gives the gRPC code to an error that says that a device or a port is
// not there, or no more: sentinels do not travel over the wire. Other errors are
// left as they are.
func notFound(err error) error {
	for _, gone := range []error{sysfs.ErrNoDevice, sysfs.ErrVanished, sysfs.ErrNoPort} {
		if errors.Is(err, gone) {
			return status.Error(codes.NotFound, err.Error())
		}
	}
	return err
}
