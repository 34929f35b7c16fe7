package plugintest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// rawServer is a plugin made without package plugin. It keeps to the contract,
// but for the rule that is its flaw.
type rawServer struct {
	pluginv1.UnimplementedPluginServer
	name, flaw string
	calls      chan *pluginv1.HostCall
	askOn      sync.Once

	mu       sync.Mutex
	freed    sync.Cond // a device was removed
	epoch    uint64
	attached map[rawID]bool
	removed  map[rawID]bool
	newest   map[uint32]uint64 // generation by index
}

type rawID struct {
	index      uint32
	generation uint64
}

type rawStream = grpc.BidiStreamingServer[pluginv1.DeviceRequest, pluginv1.DeviceReply]

// serveRaw is the main of a rawServer.
func serveRaw(flaw string) {
	s := &rawServer{
		name: flaw, flaw: flaw, calls: make(chan *pluginv1.HostCall),
		attached: map[rawID]bool{}, removed: map[rawID]bool{}, newest: map[uint32]uint64{},
	}
	s.freed.L = &s.mu
	atEndOfStdin(func() { os.Exit(1) })
	handshake := plugin.Handshake()
	if n, err := strconv.ParseUint(os.Getenv("PLUGIN_PROTOCOL_VERSIONS"), 10, 32); err == nil && flaw == "version" {
		handshake.ProtocolVersion = uint(n)
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{plugin.ServiceName: rawService{s: s}},
		GRPCServer:      func(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) },
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

func (s *rawServer) Info(context.Context, *pluginv1.InfoRequest) (*pluginv1.InfoResponse, error) {
	return &pluginv1.InfoResponse{Name: s.name}, nil
}

func (s *rawServer) Configure(_ context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	s.epoch = req.GetEpoch()
	return &pluginv1.ConfigureResponse{}, nil
}

func (s *rawServer) Host(stream grpc.BidiStreamingServer[pluginv1.HostReply, pluginv1.HostCall]) error {
	for {
		select {
		case call := <-s.calls:
			if err := stream.Send(call); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

// Device answers one request after the other.
func (s *rawServer) Device(stream rawStream) error {
	requests := make(chan *pluginv1.DeviceRequest)
	go func() {
		defer close(requests)
		for {
			req, err := stream.Recv()
			if err != nil {
				return
			}
			requests <- req
		}
	}()
	for req := range requests {
		if s.flaw == "overtaking-remove" && req.GetAdd() != nil {
			select {
			case next := <-requests:
				if err := s.answer(stream, next); err != nil {
					return err
				}
			case <-time.After(20 * time.Millisecond):
			}
		}
		if err := s.answer(stream, req); err != nil {
			return err
		}
	}
	return nil
}

func (s *rawServer) answer(stream rawStream, req *pluginv1.DeviceRequest) error {
	reply := &pluginv1.DeviceReply{Id: req.GetId()}
	switch r := req.GetRequest().(type) {
	case *pluginv1.DeviceRequest_Add:
		reply.Reply = &pluginv1.DeviceReply_Added{Added: s.add(req.GetId())}
	case *pluginv1.DeviceRequest_Change:
		if s.flaw == "change" && r.Change.GetWhat() > 255 {
			return errors.New("what is that?")
		}
		reply.Reply = &pluginv1.DeviceReply_Changed{Changed: &pluginv1.Result{}}
	case *pluginv1.DeviceRequest_Remove:
		reply.Reply = &pluginv1.DeviceReply_Removed{Removed: s.remove(req.GetId())}
		defer s.afterRemove(stream, req.GetId())
	}
	return stream.Send(reply)
}

func (s *rawServer) afterRemove(stream rawStream, id *pluginv1.DeviceID) {
	switch s.flaw {
	case "last-event":
		_ = stream.Send(&pluginv1.DeviceReply{Id: id, Reply: &pluginv1.DeviceReply_Event{Event: &pluginv1.Event{Kind: "still-here"}}})
	case "last-call":
		s.askOn.Do(func() { go s.ask(id) })
	}
}

// ask asks something in the name of a device, for good.
func (s *rawServer) ask(id *pluginv1.DeviceID) {
	for {
		s.calls <- &pluginv1.HostCall{Device: id, Request: &pluginv1.HostCall_ListDevices{ListDevices: &pluginv1.ListDevices{}}}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *rawServer) add(ref *pluginv1.DeviceID) *pluginv1.Result {
	id := rawID{ref.GetIndex(), ref.GetGeneration()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.flaw == "independent-devices" && len(s.attached) >= 8 {
		s.freed.Wait()
	}
	switch {
	case ref.GetEpoch() != s.epoch && s.flaw != "other-epoch",
		s.removed[id] && s.flaw == "back-in-service",
		id.generation < s.newest[id.index] && s.flaw != "stale-generation":
		return failure(codes.FailedPrecondition)
	case s.attached[id] && s.flaw == "repeated-add":
		return failure(codes.AlreadyExists)
	}
	s.attached[id] = true
	s.newest[id.index] = max(s.newest[id.index], id.generation)
	return &pluginv1.Result{}
}

func (s *rawServer) remove(ref *pluginv1.DeviceID) *pluginv1.Result {
	id := rawID{ref.GetIndex(), ref.GetGeneration()}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.attached[id]:
		delete(s.attached, id)
		s.removed[id] = true
		s.freed.Broadcast()
	case s.removed[id] && s.flaw == "repeated-remove",
		!s.removed[id] && s.flaw == "unknown-remove":
		return failure(codes.NotFound)
	}
	return &pluginv1.Result{}
}

func failure(code codes.Code) *pluginv1.Result {
	return &pluginv1.Result{Error: &pluginv1.Error{Code: uint32(code), Message: "no"}}
}
