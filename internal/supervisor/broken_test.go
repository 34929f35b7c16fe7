package supervisor

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// rawServer is a plugin made by hand, without the SDK, that breaks the contract
// where one of its functions is set.
type rawServer struct {
	pluginv1.UnimplementedPluginServer
	name    string
	host    func(grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]) error
	reply   func(stream rawStream, req *pluginv1.DeviceRequest) error
	streams uint32 // how many it takes at a time; 0 is any number
}

type rawStream = grpc.BidiStreamingServer[pluginv1.DeviceRequest, pluginv1.DeviceReply]

func (s *rawServer) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	return &pluginv1.InfoResponse{Name: s.name}, nil
}

func (s *rawServer) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return &pluginv1.ConfigureResponse{}, nil
}

func (s *rawServer) Host(stream grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]) error {
	if s.host != nil {
		return s.host(stream)
	}
	<-stream.Context().Done()
	return nil
}

func (s *rawServer) Device(stream rawStream) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return nil
		}
		reply := s.reply
		if reply == nil {
			reply = goodReply
		}
		if err := reply(stream, req); err != nil {
			return err
		}
	}
}

func added() *pluginv1.DeviceReply {
	return &pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Added{Added: &pluginv1.Result{}}}
}

func goodReply(stream rawStream, req *pluginv1.DeviceRequest) error {
	if req.GetAdd() != nil {
		return stream.Send(added())
	}
	return stream.Send(&pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Removed{Removed: &pluginv1.Result{}}})
}

// rawPlugins are served by rawMain.
var rawPlugins = map[string]*rawServer{
	"raw": {},
	"answers-twice": {reply: func(stream rawStream, _ *pluginv1.DeviceRequest) error {
		for range 10 {
			if err := stream.Send(added()); err != nil {
				return err
			}
		}
		return nil
	}},
	"always-added": {reply: func(stream rawStream, _ *pluginv1.DeviceRequest) error { return stream.Send(added()) }},
	"never-added": {reply: func(stream rawStream, _ *pluginv1.DeviceRequest) error {
		return stream.Send(&pluginv1.DeviceReply{Reply: &pluginv1.DeviceReply_Removed{Removed: &pluginv1.Result{}}})
	}},
	"breaks-off": {reply: func(rawStream, *pluginv1.DeviceRequest) error { return io.ErrUnexpectedEOF }},
	"empty-words": {reply: func(stream rawStream, _ *pluginv1.DeviceRequest) error {
		return stream.Send(&pluginv1.DeviceReply{})
	}},
	"asks-nothing": {host: func(grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]) error { return nil }},
	"few-streams":  {streams: 4}, // go-plugin's two, Host, and one device
}

func rawMain(name string) {
	s := rawPlugins[name]
	s.name = name
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: plugin.Handshake(),
		Plugins:         goplugin.PluginSet{plugin.ServiceName: rawService{s: s}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			if s.streams > 0 {
				opts = append(opts, grpc.MaxConcurrentStreams(s.streams))
			}
			return grpc.NewServer(opts...)
		},
	})
}

type rawService struct {
	goplugin.NetRPCUnsupportedPlugin
	s *rawServer
}

func (r rawService) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPluginServer(s, r.s)
	return nil
}

func (rawService) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

// TestRaw: nobody has to use the SDK.
func TestRaw(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("raw"))
	dev := device(1, 1)
	if _, err := p.Add(t.Context(), dev); err != nil {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), dev, nil); err != nil {
		t.Error(err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestBrokenContract: a plugin that does not keep to it is killed, and the error
// says which rule it broke.
func TestBrokenContract(t *testing.T) {
	add := func(p *Plugin) error { _, err := p.Add(context.Background(), device(1, 1)); return err }
	remove := func(p *Plugin) error {
		if err := add(p); err != nil {
			return errors.New("add failed")
		}
		return p.Remove(context.Background(), device(1, 1), nil)
	}
	// Replies that nobody asked for may be noticed before or after the one that was.
	either := func(p *Plugin) error {
		if err := add(p); err != nil {
			return err
		}
		return p.Remove(context.Background(), device(1, 1), nil)
	}
	later := func(p *Plugin) error {
		<-p.Done()
		return add(p)
	}
	tests := []struct {
		plugin string
		step   func(*Plugin) error
		words  string
	}{
		{"answers-twice", either, "contract broken"},
		{"always-added", remove, "another reply than was asked for"},
		{"never-added", add, "another reply than was asked for"},
		{"empty-words", add, "another reply than was asked for"},
		{"breaks-off", add, "conversation broken off"},
		{"asks-nothing", later, "the host stream ended"},
	}
	for _, tt := range tests {
		t.Run(tt.plugin, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{Limits: Limits{Crash: 300 * time.Millisecond}})
			p := b.start(b.builtin(tt.plugin))
			within(t, "the step", func() {
				err := tt.step(p)
				if _, ok := errors.AsType[*DeadError](err); !ok || !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), tt.words) {
					t.Errorf("error %v (%T), want a DeadError with %q", err, err, tt.words)
				}
			})
			b.nothingLeft()
			if err := b.stop(p); err == nil {
				t.Error("stop says that all was well")
			}
		})
	}
}

// TestFewStreams: a plugin that has no room for one device's conversation does not
// get in the way of another's.
func TestFewStreams(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("few-streams"))
	first, second := device(1, 1), device(2, 2)
	if _, err := p.Add(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := p.Add(context.Background(), second)
		waiting <- err
	}()
	leaving := errors.New("leaving")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, leaving)
	defer cancel()
	if _, err := p.Add(ctx, device(3, 3)); !errors.Is(err, leaving) {
		t.Errorf("add that is given up: %v", err)
	}
	within(t, "remove", func() {
		if err := p.Remove(context.Background(), first, nil); err != nil {
			t.Error(err)
		}
		if err := <-waiting; err != nil {
			t.Errorf("second add: %v", err)
		}
	})
	if got := p.Devices(); len(got) != 1 || got[0] != (core.ID{Index: 2, Generation: 2}) {
		t.Errorf("devices %v", got)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}
