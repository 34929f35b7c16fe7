package daemon

import (
	"context"
	"errors"
	"io"
	"os"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/journal"
)

// service answers for the daemon.
type service struct {
	apiv1.UnimplementedDaemonServer
	*daemon
	rights rights
	// reading holds a token for each question that reads the kernel.
	reading chan struct{}
}

// Hello implements apiv1.DaemonServer.
func (s *service) Hello(ctx context.Context, _ *apiv1.HelloRequest) (*apiv1.HelloResponse, error) {
	ns, err := api.NetworkNamespace()
	if err != nil {
		return nil, err
	}
	caller, _ := api.Caller(ctx)
	return &apiv1.HelloResponse{
		Version:         s.Version,
		Pid:             uint32(os.Getpid()),
		StartedUnixNano: s.started.UnixNano(),
		NetnsDevice:     ns.Device,
		NetnsInode:      ns.Inode,
		MayChange:       s.rights.mayChange(caller),
	}, nil
}

// ListDevices implements apiv1.DaemonServer.
func (s *service) ListDevices(ctx context.Context, req *apiv1.ListDevicesRequest) (*apiv1.ListDevicesResponse, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h := s.summary
	if req.GetFull() {
		h = s.full
	}
	devices, warnings, err := h.Devices(ctx)
	if err != nil {
		return nil, coded(err)
	}
	ids, drained := idsByDevice(s.registry.Devices()), idsByDevice(s.registry.Drained())
	reply := &apiv1.ListDevicesResponse{Warnings: apiv1.NewWarnings(warnings)}
	for _, dev := range devices {
		listed := &apiv1.ListedDevice{Device: pluginv1.NewDevice(dev)}
		if id, ok := ids[identify(dev)]; ok {
			listed.Id = s.deviceID(id)
		}
		_, listed.Drained = drained[identify(dev)]
		reply.Devices = append(reply.Devices, listed)
	}
	return reply, nil
}

func (d *daemon) deviceID(id core.ID) *pluginv1.DeviceID {
	return pluginv1.NewDeviceID(d.clients.supervisor.Epoch(), id)
}

// identity is by what a device that was just read is known in the registry: the
// index, which outlives names, or where there is none, the name.
type identity struct {
	index rdma.Opt[uint32]
	name  string
}

func identify(d rdma.Device) identity {
	if d.Index.IsKnown() {
		return identity{index: d.Index}
	}
	return identity{name: d.Name}
}

func idsByDevice(registered []core.Device) map[identity]core.ID {
	ids := make(map[identity]core.ID, len(registered))
	for _, d := range registered {
		ids[identify(d.Info)] = d.ID
	}
	return ids
}

// LoadClient implements apiv1.DaemonServer.
func (s *service) LoadClient(ctx context.Context, req *apiv1.LoadClientRequest) (*apiv1.LoadClientResponse, error) {
	return &apiv1.LoadClientResponse{}, s.load(ctx, req.GetName())
}

// UnloadClient implements apiv1.DaemonServer.
func (s *service) UnloadClient(ctx context.Context, req *apiv1.UnloadClientRequest) (*apiv1.UnloadClientResponse, error) {
	return &apiv1.UnloadClientResponse{}, s.clients.unload(ctx, req.GetName())
}

// WatchEvents implements apiv1.DaemonServer.
func (s *service) WatchEvents(req *apiv1.WatchEventsRequest, stream grpc.ServerStreamingServer[apiv1.WatchEventsResponse]) error {
	reader := s.journal.Tail()
	if req.GetReplay() {
		reader = s.journal.Replay()
	}
	// The caller learns that what happens from now on will be sent.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		e, err := nextEvent(stream.Context(), reader, req.GetFollow())
		missed, lost := errors.AsType[*journal.MissedError](err)
		switch {
		case lost:
			err = stream.Send(&apiv1.WatchEventsResponse{Entry: &apiv1.WatchEventsResponse_Missed{Missed: missed.Count}})
		case errors.Is(err, io.EOF):
			return nil
		case err == nil:
			err = stream.Send(&apiv1.WatchEventsResponse{Entry: &apiv1.WatchEventsResponse_Event{Event: apiv1.NewEvent(e)}})
		}
		if err != nil {
			return err
		}
	}
}

func nextEvent(ctx context.Context, r *journal.Reader, follow bool) (journal.Event, error) {
	if follow {
		return r.Next(ctx)
	}
	return r.NextKept()
}
