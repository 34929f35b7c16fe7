package plugin

import (
	"context"
	"fmt"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// Host is the way for a plugin to ask ibctl. Each call has a deadline: the
// ctx's, or ten seconds. Nothing that a Host can ask waits for an Add or a
// Remove of any client, so all of it may be asked in both.
type Host struct {
	calls *hostCalls
	// device is the one on whose behalf this handle asks; nil for the plugin's own.
	device *Device
}

// RoCEPort is a port with Ethernet link layer.
type RoCEPort struct {
	Device      core.ID
	DeviceName  string
	Port        uint32
	Netdev      string
	NetdevIndex rdma.Opt[uint32]
}

// Devices returns the registered devices. Those that are leaving are not among
// them, even if this plugin's Remove has not yet been called.
func (h *Host) Devices(ctx context.Context) ([]core.Device, error) {
	reply, err := h.ask(ctx, &pluginv1.HostCall{
		Request: &pluginv1.HostCall_ListDevices{ListDevices: &pluginv1.ListDevices{}},
	})
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var list []core.Device
	for _, d := range reply.GetDevices().GetDevices() {
		info, err := d.GetDevice().RDMA()
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		list = append(list, core.Device{ID: d.GetId().ID(), Info: info})
	}
	return list, nil
}

// RoCEPorts returns the registered RoCE ports whose netdev has the given index;
// all of them if netdev is unknown.
func (h *Host) RoCEPorts(ctx context.Context, netdev rdma.Opt[uint32]) ([]RoCEPort, error) {
	request := &pluginv1.ListRoCEPorts{}
	if index, ok := netdev.Get(); ok {
		request.NetdevIndex = &index
	}
	reply, err := h.ask(ctx, &pluginv1.HostCall{
		Request: &pluginv1.HostCall_ListRocePorts{ListRocePorts: request},
	})
	if err != nil {
		return nil, fmt.Errorf("list RoCE ports: %w", err)
	}
	var list []RoCEPort
	for _, p := range reply.GetPorts().GetPorts() {
		port := RoCEPort{Device: p.GetId().ID(), DeviceName: p.GetDevice(), Port: p.GetPort(), Netdev: p.GetNetdev()}
		if p.NetdevIndex != nil {
			port.NetdevIndex = rdma.Known(p.GetNetdevIndex())
		}
		list = append(list, port)
	}
	return list, nil
}

// ask holds the device's work gate while a call in its name is out, so that
// Remove is not acknowledged before the call is over.
func (h *Host) ask(ctx context.Context, call *pluginv1.HostCall) (*pluginv1.HostReply, error) {
	if h.device != nil {
		if !h.device.work.enter() {
			return nil, ErrRemoved
		}
		defer h.device.work.leave()
		call.Device = h.device.ref
	}
	return h.calls.do(ctx, call)
}
