package cm

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// GetDefaults implements [cmv1.CMServer].
func (s *service) GetDefaults(req *cmv1.DeviceRequest, stream grpc.ServerStreamingServer[cmv1.PortDefaults]) error {
	return s.withDefaults(stream.Context(), req.GetDevice(), req.Port, func(d *configfs.Device, port uint32, name string) error {
		return stream.Send(readDefaults(d, name, port))
	})
}

// SetDefaults implements [cmv1.CMServer].
func (s *service) SetDefaults(req *cmv1.SetDefaultsRequest, stream grpc.ServerStreamingServer[cmv1.PortDefaults]) error {
	if req.GetTos() > 255 {
		return status.Errorf(codes.InvalidArgument, "type of service %d: want 0 to 255", req.GetTos())
	}
	return s.withDefaults(stream.Context(), req.GetDevice(), req.Port, func(d *configfs.Device, port uint32, name string) error {
		want := Defaults{RoCEMode: rdma.GIDType(req.GetRoceMode())}
		if req.Tos != nil {
			want.TOS = rdma.Known(TOS(req.GetTos()))
		}
		if err := want.set(d, port); err != nil {
			return err
		}
		return stream.Send(readDefaults(d, name, port))
	})
}

// withDefaults calls f for the port asked for, or for each of the device's.
func (s *service) withDefaults(ctx context.Context, device *deviceID, port *uint32, f func(d *configfs.Device, port uint32, name string) error) error {
	return s.devices.Use(ctx, device, func(ctx context.Context, dev *plugin.Device) (err error) {
		defer func() { err = withCode(err) }()
		ports, err := portNumbers(dev.Info(), port)
		if err != nil {
			return err
		}
		name := currentName(ctx, dev)
		d, err := s.client.configfs.Open(name)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		for _, n := range ports {
			if err := f(d, n, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// currentName asks the kernel what the device is called now: configfs goes by
// name, and whatever has the name is what it writes to.
func currentName(ctx context.Context, dev *plugin.Device) string {
	conn, err := nldev.Dial()
	if err != nil {
		return dev.Info().Name
	}
	defer conn.Close()
	now, err := conn.Device(ctx, dev.ID().Index)
	if err != nil {
		return dev.Info().Name
	}
	return now.Name
}

// readDefaults reads both values of a port; one that can't be read is unknown,
// and a warning.
func readDefaults(d *configfs.Device, name string, port uint32) *cmv1.PortDefaults {
	out := &cmv1.PortDefaults{Device: name, Port: port}
	object := fmt.Sprintf("%s/%d", name, port)
	mode, err := d.RoCEMode(port)
	if err != nil {
		out.Warnings = append(out.Warnings, cmv1.NewWarning(rdma.Warning{Object: object, Op: "read default RoCE mode", Err: err}))
	}
	out.RoceMode = string(mode)
	tos, err := d.TOS(port)
	if err != nil {
		out.Warnings = append(out.Warnings, cmv1.NewWarning(rdma.Warning{Object: object, Op: "read default TOS", Err: err}))
	} else {
		v := uint32(tos)
		out.Tos = &v
	}
	return out
}
