package cm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// ReadCounters implements [cmv1.CMServer]. A port whose counters can't be read is
// a warning, unless it alone was asked for.
func (s *service) ReadCounters(req *cmv1.DeviceRequest, stream grpc.ServerStreamingServer[cmv1.PortCounters]) error {
	return s.devices.Use(stream.Context(), req.GetDevice(), func(_ context.Context, dev *plugin.Device) error {
		info := dev.Info()
		ports, err := portNumbers(info, req.Port)
		if err != nil {
			return err
		}
		for _, port := range ports {
			out, err := readCounters(dev.Data().(*device).dir, info.Name, port)
			if err != nil && req.Port != nil {
				return withCode(err)
			}
			if err := stream.Send(out); err != nil {
				return err
			}
		}
		return nil
	})
}

// readCounters returns an answer even if the counters can't be read: the warning
// in it says why.
func readCounters(dir *sysfs.Device, name string, port uint32) (*cmv1.PortCounters, error) {
	counters, warnings, err := dir.CMCounters(name, port)
	if err != nil {
		cause := errors.Unwrap(err) // the warning names the port itself
		warnings = append(warnings, rdma.Warning{Object: fmt.Sprintf("%s/%d", name, port), Op: "read connection manager counters", Err: cause})
	}
	out := &cmv1.PortCounters{Device: name, Port: port, TimeUnixNano: time.Now().UnixNano(), Warnings: cmv1.NewWarnings(warnings)}
	for _, c := range counters {
		out.Counters = append(out.Counters, &cmv1.Counter{
			Kind:   c.Kind,
			TxMsgs: pointer(c.TxMsgs), TxRetries: pointer(c.TxRetries),
			RxMsgs: pointer(c.RxMsgs), RxDuplicates: pointer(c.RxDuplicates),
		})
	}
	return out, err
}

// pointer is how a message says that a value is unknown.
func pointer[T any](o rdma.Opt[T]) *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}
