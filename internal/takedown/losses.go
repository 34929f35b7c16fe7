package takedown

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/nldev"
)

// Losses are settings of a device that the kernel forgets when it unregisters
// the device, be it only to register it again elsewhere.
type Losses struct {
	device rdma.Device
	tree   configfs.Tree
	ports  []portDefaults
	dim    rdma.Opt[bool]
	noted  []rdma.Warning
}

// portDefaults are what new connections of a port use.
type portDefaults struct {
	port uint32
	mode rdma.GIDType
	tos  rdma.Opt[uint8]
}

// LossesOf are those of a device that is there.
func LossesOf(d rdma.Device) *Losses {
	return &Losses{device: d, tree: configfs.New(configfs.DefaultRoot)}
}

// String says what they are.
func (l *Losses) String() string {
	return "set the connection manager's defaults and adaptive moderation as they were"
}

// remember reads the settings. What there is none of is not lost.
func (l *Losses) remember(ctx context.Context) {
	l.rememberDefaults()
	index, ok := l.device.Index.Get()
	if !ok {
		return
	}
	nl, err := nldev.Dial()
	if err != nil {
		l.warn("read adaptive moderation", err)
		return
	}
	defer nl.Close() //nolint:errcheck // nothing was written
	now, err := nl.Device(ctx, index)
	if err != nil {
		l.warn("read adaptive moderation", err)
		return
	}
	l.dim = now.AdaptiveModeration
}

func (l *Losses) warn(op string, err error) {
	l.noted = append(l.noted, rdma.Warning{Object: l.device.Name, Op: op, Err: err})
}

func (l *Losses) rememberDefaults() {
	d, err := l.tree.Open(l.device.Name)
	if errors.Is(err, configfs.ErrUnavailable) {
		return // nobody can have set any
	}
	if err != nil {
		l.warn("read connection manager defaults", err)
		return
	}
	defer d.Close() //nolint:errcheck // it leaves a directory behind at worst
	for _, p := range l.device.Ports {
		var errs [2]error
		pd := portDefaults{port: p.Number}
		pd.mode, errs[0] = d.RoCEMode(p.Number)
		tos, err := d.TOS(p.Number)
		if errs[1] = err; err == nil {
			pd.tos = rdma.Known(tos)
		}
		if err := errors.Join(errs[:]...); err != nil && !errors.Is(err, configfs.ErrNoDevice) {
			l.warn("read connection manager defaults", err)
		}
		l.ports = append(l.ports, pd)
	}
}

// Restore sets the defaults of the device again, and returns what it has set. The
// kernel finds the device by its name, in whatever network namespace.
func (l *Losses) Restore(context.Context) (done []string, warnings []rdma.Warning) {
	if len(l.ports) == 0 {
		return nil, l.noted
	}
	d, err := l.tree.Open(l.device.Name)
	if err != nil {
		l.warn("put connection manager defaults back", err)
		return nil, l.noted
	}
	defer d.Close() //nolint:errcheck // as above
	for _, p := range l.ports {
		done = append(done, l.restorePort(d, p)...)
	}
	return done, l.noted
}

func (l *Losses) restorePort(d *configfs.Device, p portDefaults) (done []string) {
	if now, err := d.RoCEMode(p.port); p.mode != "" && (err != nil || now != p.mode) {
		if err := d.SetRoCEMode(p.port, p.mode); err != nil {
			l.warn("put the default RoCE mode back", err)
		} else {
			done = append(done, fmt.Sprintf("RoCE mode of port %d: %s", p.port, p.mode))
		}
	}
	tos, known := p.tos.Get()
	if now, err := d.TOS(p.port); known && (err != nil || now != tos) {
		if err := d.SetTOS(p.port, tos); err != nil {
			l.warn("put the default TOS back", err)
		} else {
			done = append(done, fmt.Sprintf("TOS of port %d: %d", p.port, tos))
		}
	}
	return done
}
