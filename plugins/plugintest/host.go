package plugintest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// host is ibctl for one trial.
type host struct {
	*trial
	sup   *supervisor.Supervisor
	log   *log
	stray atomic.Int64 // host calls in the name of devices that are not attached
	// answer is what the plugin gets that asks for devices; nil stands for those of
	// the plugin under test.
	answer atomic.Pointer[func(context.Context) ([]core.Device, error)]
}

// host makes an ibctl that waits long, except as the limits say.
func (c *trial) host(limits supervisor.Limits) *host {
	h := &host{trial: c, log: new(log)}
	var err error
	h.sup, err = supervisor.New(supervisor.Config{
		Limits:  c.patient(limits),
		Levels:  c.plugin.levels,
		RunDir:  c.dir(),
		Log:     h.log.logger(),
		Devices: h.devices,
		OnStray: func(string, core.ID) { h.stray.Add(1) },
	})
	c.must(err)
	c.cleanup(h.sup.Close)
	return h
}

// patient fills in the limits that a trial does not set: none of them may be why
// a correct plugin on a busy machine fails.
func (c *trial) patient(l supervisor.Limits) supervisor.Limits {
	long := c.plugin.patience
	for _, limit := range []*time.Duration{&l.Start, &l.Add, &l.Change, &l.Remove, &l.Call, &l.HostCall, &l.Shutdown, &l.Crash, &l.Drain} {
		if *limit == 0 {
			*limit = long
		}
	}
	l.LogRate = 1 << 20
	return l
}

func (h *host) devices(ctx context.Context) ([]core.Device, error) {
	if answer := h.answer.Load(); answer != nil {
		return (*answer)(ctx)
	}
	var all []core.Device
	for i := range h.plugin.Devices {
		all = append(all, h.plugin.device(i, 1))
	}
	return all, nil
}

// running is one process of the plugin.
type running struct {
	*supervisor.Plugin
	host *host
	rpc  pluginv1.PluginClient
	last uint64 // generation
}

// tryToStart is start for a trial that wants to know what comes of it.
func (h *host) tryToStart() (*running, error) {
	p, err := h.sup.Start(context.Background(), h.plugin.spec(h.mark()))
	if err != nil {
		return nil, err
	}
	r := &running{Plugin: p, host: h, rpc: pluginv1.NewPluginClient(p.Conn())}
	h.cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Stop(over) // unless it was stopped before
	})
	return r, nil
}

func (h *host) start() *running {
	r, err := h.tryToStart()
	if err != nil {
		h.fatalf("%v", err)
	}
	return r
}

// stop stops the plugin as ibctl does, all devices first.
func (r *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.host.plugin.patience)
	defer cancel()
	return r.Stop(ctx)
}

// next is a new incarnation of the plugin's i-th device.
func (r *running) next(i int) core.Device {
	r.last++
	return r.host.plugin.device(i, r.last)
}

// device is the i-th device, or one of them if there are fewer.
func (p Plugin) device(i int, generation uint64) core.Device {
	info := p.Devices[i%len(p.Devices)]
	index, known := info.Index.Get()
	if !known {
		index = uint32(i%len(p.Devices)) + 1
		info.Index = rdma.Known(index)
	}
	return core.Device{ID: core.ID{Index: index, Generation: generation}, Info: info}
}

// add has ibctl add a device.
func (r *running) add(dev core.Device) {
	if _, err := r.Add(context.Background(), dev); err != nil {
		r.host.fatalf("Add: %v", err)
	}
}

// late kills a plugin that a trial has waited for in vain.
func (r *running) late() {
	r.Kill(fmt.Errorf("the trial waited for %v", r.host.plugin.patience))
}
