package supervisor

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// maxHostCalls is how many questions of one plugin are worked on at a time; the
// rest waits in the stream.
const maxHostCalls = 16

// hostServer answers what one plugin asks of ibctl, on the stream that ibctl
// opened. It ends with the process, and the process ends with it.
type hostServer struct {
	p       *Plugin
	stream  grpc.BidiStreamingClient[pluginv1.HostReply, pluginv1.HostCall]
	sending sync.Mutex // gRPC allows one sender at a time
}

// serve reads questions until the stream ends, and returns when all answers are
// through.
func (h *hostServer) serve() {
	var answers sync.WaitGroup
	defer answers.Wait()
	room := make(chan struct{}, maxHostCalls)
	for {
		call, err := h.stream.Recv()
		if err != nil {
			return
		}
		room <- struct{}{}
		answers.Go(func() {
			defer func() { <-room }()
			h.answer(call)
		})
	}
}

func (h *hostServer) answer(call *pluginv1.HostCall) {
	ctx, cancel := context.WithTimeout(h.stream.Context(), h.p.limits.HostCall)
	defer cancel()
	reply, err := h.work(ctx, call)
	if err != nil {
		reply = &pluginv1.HostReply{Error: pluginv1.NewError(err)}
	}
	reply.Call = call.GetCall()
	h.sending.Lock()
	defer h.sending.Unlock()
	// A failed send means that the process is gone.
	_ = h.stream.Send(reply)
}

// work holds the device open in whose name the plugin asks: its Remove does not
// return while an answer is being made.
func (h *hostServer) work(ctx context.Context, call *pluginv1.HostCall) (*pluginv1.HostReply, error) {
	if id := call.GetDevice(); id != nil {
		c := h.p.conversation(id.ID())
		if id.GetEpoch() != h.p.sup.epoch || c == nil || !c.calls.enter() {
			h.stray(id.ID())
			return nil, status.Errorf(codes.FailedPrecondition, "device %v is not attached", id.ID())
		}
		defer c.calls.leave()
	}
	devices, err := h.devices(ctx)
	if err != nil {
		return nil, err
	}
	switch r := call.GetRequest().(type) {
	case *pluginv1.HostCall_ListDevices:
		return &pluginv1.HostReply{Reply: &pluginv1.HostReply_Devices{Devices: h.list(devices)}}, nil
	case *pluginv1.HostCall_ListRocePorts:
		return &pluginv1.HostReply{Reply: &pluginv1.HostReply_Ports{Ports: h.ports(devices, r.ListRocePorts)}}, nil
	}
	return nil, status.Error(codes.Unimplemented, "unknown host call")
}

func (h *hostServer) stray(id core.ID) {
	h.p.log.Warn("host call for a device that is not attached", "id", id)
	if hear := h.p.sup.config.OnStray; hear != nil {
		hear(h.p.Name(), id)
	}
}

func (h *hostServer) devices(ctx context.Context) ([]core.Device, error) {
	if list := h.p.sup.config.Devices; list != nil {
		return list(ctx)
	}
	return nil, nil
}

func (h *hostServer) list(devices []core.Device) *pluginv1.DeviceList {
	out := new(pluginv1.DeviceList)
	for _, d := range devices {
		out.Devices = append(out.Devices, &pluginv1.RegisteredDevice{
			Id:     h.p.DeviceID(d.ID),
			Device: pluginv1.NewDevice(d.Info),
		})
	}
	return out
}

func (h *hostServer) ports(devices []core.Device, want *pluginv1.ListRoCEPorts) *pluginv1.PortList {
	out := new(pluginv1.PortList)
	for _, d := range devices {
		for _, port := range d.Info.Ports {
			index, known := port.NetdevIndex.Get()
			if port.LinkLayer != rdma.LinkLayerEthernet || (want.NetdevIndex != nil && (!known || index != want.GetNetdevIndex())) {
				continue
			}
			ref := &pluginv1.PortRef{Id: h.p.DeviceID(d.ID), Device: d.Info.Name, Port: port.Number, Netdev: port.Netdev}
			if known {
				ref.NetdevIndex = &index
			}
			out.Ports = append(out.Ports, ref)
		}
	}
	return out
}
