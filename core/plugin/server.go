package plugin

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// server is the plugin's side of the contract: it turns what arrives on the
// wire into calls of the author's client, in the order that the client relies on.
type server struct {
	pluginv1.UnimplementedPluginServer
	client    Client
	childless bool
	devices   *Devices
	calls     *hostCalls
	// hostOnce and configureOnce hold one token each: those calls come once.
	hostOnce, configureOnce chan struct{}
}

func newServer(client Client, childless bool) *server {
	s := &server{
		client:        client,
		childless:     childless,
		devices:       newDevices(),
		calls:         newHostCalls(),
		hostOnce:      make(chan struct{}, 1),
		configureOnce: make(chan struct{}, 1),
	}
	s.hostOnce <- struct{}{}
	s.configureOnce <- struct{}{}
	return s
}

// register puts the lifecycle service and the client's own on r.
func (s *server) register(r grpc.ServiceRegistrar) {
	pluginv1.RegisterPluginServer(r, s)
	if p, ok := s.client.(ServiceProvider); ok {
		p.RegisterServices(r, s.devices)
	}
}

// Info implements pluginv1.PluginServer.
func (s *server) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	info := &pluginv1.InfoResponse{Name: s.client.Name(), Childless: s.childless}
	if v, ok := s.client.(Versioner); ok {
		info.Version = v.Version()
	}
	return info, nil
}

// Configure implements pluginv1.PluginServer.
func (s *server) Configure(ctx context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	if !taken(s.configureOnce) {
		return nil, status.Error(codes.FailedPrecondition, "the plugin is configured already")
	}
	s.devices.setEpoch(req.GetEpoch())
	if c, ok := s.client.(Configurer); ok {
		if err := c.Configure(ctx, &Host{calls: s.calls}, req.GetConfig()); err != nil {
			return nil, pluginv1.ToStatus(err)
		}
	}
	return &pluginv1.ConfigureResponse{}, nil
}

// Host implements pluginv1.PluginServer.
func (s *server) Host(stream hostStream) error {
	if !taken(s.hostOnce) {
		return status.Error(codes.FailedPrecondition, "the host stream is open already")
	}
	return s.calls.serve(stream)
}

// Device implements pluginv1.PluginServer.
func (s *server) Device(stream deviceStream) error {
	c := &conversation{server: s, stream: stream}
	return c.run()
}

// add runs the author's Add for a device that is entered as being added.
func (s *server) add(ctx context.Context, dev *Device) error {
	data, err := s.client.Add(ctx, dev)
	if err != nil {
		s.devices.abandon(dev)
		return err
	}
	s.devices.attach(dev, data)
	return nil
}

// remove takes a device off the client, and returns when nothing touches it any
// more. It is OK for a device that is not there. Every caller returns late.
func (s *server) remove(ctx context.Context, id *pluginv1.DeviceID) error {
	dev, first := s.devices.leave(id)
	switch {
	case dev == nil:
		return nil
	case !first:
		<-dev.gone
		return dev.failure
	}
	dev.giveUp(ErrLeaving)
	<-dev.added
	if !dev.attached {
		return nil
	}
	dev.cancel(ErrLeaving)
	dev.questions.close()
	err := s.client.Remove(ctx, dev)
	dev.work.close()
	s.devices.forget(dev, err)
	return err
}

// change takes note of a device's new description and tells the author. A Remove
// ends it, and waits for it.
func (s *server) change(ctx context.Context, id *pluginv1.DeviceID, change *pluginv1.Change) error {
	latest, err := change.GetDevice().RDMA()
	if err != nil {
		return err
	}
	return s.devices.Use(ctx, id, func(ctx context.Context, dev *Device) error {
		dev.info.Store(&latest)
		if h, ok := s.client.(ChangeHandler); ok {
			return h.Changed(ctx, dev, core.Change(change.GetWhat()))
		}
		return nil
	})
}

// within gives ctx the time that a request allows.
func within(ctx context.Context, req *pluginv1.DeviceRequest) (context.Context, context.CancelFunc) {
	if req.GetTimeoutMs() == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(req.GetTimeoutMs())*time.Millisecond)
}

func taken(once <-chan struct{}) bool {
	select {
	case <-once:
		return true
	default:
		return false
	}
}

// orphaned is called for a device whose conversation broke off. ibctl never
// leaves one like that while it lives.
func (s *server) orphaned(dev *Device) {
	slog.Error("the host left a device without Remove", "device", dev.Info().Name, "id", dev.ID())
	if err := s.remove(context.Background(), dev.ref); err != nil {
		slog.Error("remove an orphaned device", "device", dev.Info().Name, "error", err)
	}
}
