package roce

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// service answers questions about the devices that the client drives.
type service struct {
	rocev1.UnimplementedRoCEServer
	client  *Client
	devices *plugin.Devices
}

// ListGIDs implements [rocev1.RoCEServer].
func (s *service) ListGIDs(req *rocev1.ListGIDsRequest, stream grpc.ServerStreamingServer[rocev1.PortGIDs]) error {
	return s.devices.Use(stream.Context(), req.GetDevice(), func(ctx context.Context, dev *plugin.Device) error {
		ports, err := ports(dev.Info(), req)
		if err != nil {
			return err
		}
		for r := range readAll(ctx, dev, ports, req.GetIncludeEmpty()) {
			if err := r.send(stream, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// ports returns the numbers of the ports asked for.
func ports(dev rdma.Device, req *rocev1.ListGIDsRequest) ([]uint32, error) {
	var numbers []uint32
	for _, p := range dev.Ports {
		if req.Port == nil || p.Number == req.GetPort() {
			numbers = append(numbers, p.Number)
		}
	}
	switch {
	case req.Index != nil && req.Port == nil:
		return nil, status.Error(codes.InvalidArgument, "a slot without a port")
	case req.Port != nil && len(numbers) == 0:
		return nil, status.Errorf(codes.NotFound, "%s/%d: %v", dev.Name, req.GetPort(), sysfs.ErrNoPort)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// reading is what came of reading one port's table.
type reading struct {
	device   string
	port     uint32
	table    sysfs.GIDTable
	warnings []rdma.Warning
	err      error
}

// readAll reads the tables of a device's ports, all at the same time, and yields
// them in the order of ports. When it returns, nothing reads any more.
func readAll(ctx context.Context, dev *plugin.Device, ports []uint32, empty bool) func(yield func(reading) bool) {
	return func(yield func(reading) bool) {
		if len(ports) == 1 {
			yield(read(ctx, dev, ports[0], empty))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		results := make([]chan reading, len(ports))
		for i, port := range ports {
			results[i] = make(chan reading, 1)
			go func() { results[i] <- read(ctx, dev, port, empty) }()
		}
		more := true
		for _, result := range results {
			r := <-result
			if more = more && yield(r); !more {
				cancel()
			}
		}
		cancel()
	}
}

func read(ctx context.Context, dev *plugin.Device, port uint32, empty bool) reading {
	r := reading{device: dev.Info().Name, port: port}
	r.table, r.warnings, r.err = dataOf(dev).dir.GIDs(ctx, r.device, port, empty)
	return r
}

// send answers with the table, or with the one slot of it that was asked for. A
// table that cannot be read is a warning, unless it alone was asked for.
func (r reading) send(stream grpc.ServerStreamingServer[rocev1.PortGIDs], req *rocev1.ListGIDsRequest) error {
	if r.err != nil && req.Port != nil {
		return notFound(r.err)
	}
	if r.err != nil {
		object := fmt.Sprintf("%s/%d", r.device, r.port)
		r.warnings = append(r.warnings, rdma.Warning{Object: object, Op: "read GID table", Err: r.err})
	}
	if req.Index != nil {
		if err := r.narrow(req.GetIndex()); err != nil {
			return err
		}
	}
	return stream.Send(rocev1.NewPortGIDs(r.device, r.port, r.table.Entries, r.warnings))
}

// narrow leaves the one slot. A slot that is empty is there all the same.
func (r *reading) narrow(index uint32) error {
	if int64(index) >= int64(r.table.Slots) {
		return status.Errorf(codes.NotFound, "%s/%d/%d: no such slot: the table has %d",
			r.device, r.port, index, r.table.Slots)
	}
	r.table.Entries = slices.DeleteFunc(r.table.Entries, func(e rdma.GIDEntry) bool { return e.Index != index })
	return nil
}
