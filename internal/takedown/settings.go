package takedown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
)

// Settings are what the kernel forgets of a device that it unregisters, be it
// only to register it again elsewhere.
type Settings struct {
	Device   string              `json:"device"`
	NodeGUID rdma.Opt[rdma.GUID] `json:"node_guid,omitzero"`
	// Adaptive is adaptive interrupt moderation.
	Adaptive rdma.Opt[bool] `json:"adaptive,omitzero"`
	Ports    []PortSettings `json:"ports"`
}

// PortSettings are those of one port.
type PortSettings struct {
	Port uint32 `json:"port"`
	// RoCEMode and TOS are the connection manager's defaults.
	RoCEMode rdma.GIDType    `json:"roce_mode,omitzero"`
	TOS      rdma.Opt[uint8] `json:"tos,omitzero"`
	// Counters are the names of the optional counters that are on.
	Counters []string `json:"counters,omitempty"`
}

// settingsKernel is the part of [nldev.Conn] that settings are read and set by.
type settingsKernel interface {
	Device(ctx context.Context, index uint32) (nldev.Device, error)
	SetAdaptiveModeration(ctx context.Context, index uint32, on bool) error
	CounterStates(ctx context.Context, index, port uint32) ([]nldev.CounterState, error)
	SetOptionalCounters(ctx context.Context, index, port uint32, counters []uint32) error
}

// keeper reads and sets the settings of one device.
type keeper struct {
	kernel   settingsKernel
	defaults configfs.Tree
	device   rdma.Device
	done     []string
	warnings []rdma.Warning
}

func (k *keeper) warn(op string, err error) {
	k.warnings = append(k.warnings, rdma.Warning{Object: k.device.Name, Op: op, Err: err})
}

// read reads what there is; what the kernel does not have is not lost.
func (k *keeper) read(ctx context.Context) Settings {
	s := Settings{Device: k.device.Name, NodeGUID: k.device.NodeGUID}
	index := k.device.Index.Or(0)
	now, err := k.kernel.Device(ctx, index)
	if err != nil {
		k.warn("read adaptive moderation", err)
	}
	s.Adaptive = now.AdaptiveModeration
	for _, p := range k.device.Ports {
		s.Ports = append(s.Ports, PortSettings{Port: p.Number, Counters: k.countersOn(ctx, index, p.Number)})
	}
	k.withDefaults(func(d *configfs.Device) {
		for i := range s.Ports {
			k.readDefaults(d, &s.Ports[i])
		}
	})
	return s
}

func (k *keeper) countersOn(ctx context.Context, index, port uint32) (names []string) {
	for _, c := range k.counters(ctx, index, port) {
		if c.On.Or(false) {
			names = append(names, c.Name)
		}
	}
	return names
}

func (k *keeper) counters(ctx context.Context, index, port uint32) []nldev.CounterState {
	all, err := k.kernel.CounterStates(ctx, index, port)
	if err != nil && !errors.Is(err, nldev.ErrUnsupported) && !errors.Is(err, nldev.ErrNoCounters) {
		k.warn("read optional counters", err)
	}
	return all
}

// withDefaults opens the connection manager's defaults of the device, if there are
// any.
func (k *keeper) withDefaults(do func(*configfs.Device)) {
	d, err := k.defaults.Open(k.device.Name)
	switch {
	case errors.Is(err, configfs.ErrUnavailable): // nobody can have set any
	case err != nil:
		k.warn("open connection manager defaults", err)
	default:
		do(d)
		if err := d.Close(); err != nil {
			k.warn("close connection manager defaults", err)
		}
	}
}

func (k *keeper) readDefaults(d *configfs.Device, p *PortSettings) {
	mode, errMode := d.RoCEMode(p.Port)
	tos, errTOS := d.TOS(p.Port)
	if errMode == nil {
		p.RoCEMode = mode
	}
	if errTOS == nil {
		p.TOS = rdma.Known(tos)
	}
	// A port that is no RoCE port has none.
	if err := errors.Join(errMode, errTOS); err != nil && !errors.Is(err, configfs.ErrNoDevice) {
		k.warn("read connection manager defaults", err)
	}
}

// set sets what is not as it was, and notes what that is.
func (k *keeper) set(ctx context.Context, s Settings) {
	index := k.device.Index.Or(0)
	k.setAdaptive(ctx, index, s.Adaptive)
	for _, p := range s.Ports {
		k.setCounters(ctx, index, p)
	}
	k.withDefaults(func(d *configfs.Device) {
		for _, p := range s.Ports {
			k.setDefaults(d, p)
		}
	})
}

func (k *keeper) did(err error, what string, args ...any) {
	text := fmt.Sprintf(what, args...)
	if err != nil {
		k.warn("put back "+text, err)
		return
	}
	k.done = append(k.done, text)
}

func (k *keeper) setAdaptive(ctx context.Context, index uint32, was rdma.Opt[bool]) {
	on, known := was.Get()
	now, err := k.kernel.Device(ctx, index)
	if !known || err == nil && now.AdaptiveModeration == was {
		return
	}
	if err == nil {
		err = k.kernel.SetAdaptiveModeration(ctx, index, on)
	}
	k.did(err, "adaptive moderation %s", map[bool]string{true: "on", false: "off"}[on])
}

func (k *keeper) setCounters(ctx context.Context, index uint32, p PortSettings) {
	if len(p.Counters) == 0 {
		return
	}
	on, missing := []uint32{}, false
	for _, c := range k.counters(ctx, index, p.Port) {
		isOn := c.On.Or(false)
		if isOn || c.On.IsKnown() && slices.Contains(p.Counters, c.Name) {
			on = append(on, c.Index)
			missing = missing || !isOn
		}
	}
	if missing {
		k.did(k.kernel.SetOptionalCounters(ctx, index, p.Port, on), "counters of port %d: %s", p.Port, strings.Join(p.Counters, ", "))
	}
}

func (k *keeper) setDefaults(d *configfs.Device, p PortSettings) {
	if now, err := d.RoCEMode(p.Port); p.RoCEMode != "" && (err != nil || now != p.RoCEMode) {
		k.did(d.SetRoCEMode(p.Port, p.RoCEMode), "RoCE mode of port %d: %s", p.Port, p.RoCEMode)
	}
	tos, known := p.TOS.Get()
	if now, err := d.TOS(p.Port); known && (err != nil || now != tos) {
		k.did(d.SetTOS(p.Port, tos), "TOS of port %d: %d", p.Port, tos)
	}
}
