package counters

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
)

// ErrNone says that a driver keeps no counters of the kind asked for, or that the
// kernel cannot say so.
var ErrNone = nldev.ErrNoCounters

// ErrUnsupported says that this kernel lacks what was asked of it.
var ErrUnsupported = nldev.ErrUnsupported

// errNoNetlink is for a kernel, or a device, that cannot be asked.
var errNoNetlink = errors.New("the kernel tells it over netlink alone, and there is none")

// Mode says how a port counts.
type Mode struct {
	Device string `json:"device"`
	Port   uint32 `json:"port"`
	// QP says how queue pairs get counters of their own: none, auto or manual.
	QP string `json:"qp_mode,omitzero"`
	// By is what queue pairs with a counter in common share, in auto mode: type,
	// pid.
	By []string `json:"qp_by,omitempty"`
	// Optional are the counters that can be switched, and whether they are on.
	Optional []Optional `json:"optional"`
}

// Optional is a counter that can be switched on and off.
type Optional struct {
	Name string `json:"counter"`
	On   bool   `json:"on"`
}

// Mode reads how a port counts. What the kernel is too old to tell is left out.
func (r *Reader) Mode(ctx context.Context, d rdma.Device, port uint32) (Mode, []rdma.Warning, error) {
	m := Mode{Device: d.Name, Port: port, Optional: []Optional{}}
	index, err := r.index(d)
	if err != nil {
		return m, nil, err
	}
	var warnings []rdma.Warning
	if auto, err := r.nl.AutoCounters(ctx, index, port); err == nil {
		m.setQP(auto)
	} else if warnings, err = r.unlessNone(ctx, d, port, "read the mode of queue pair counters", err); err != nil {
		return m, nil, err
	}
	states, err := r.nl.CounterStates(ctx, index, port)
	for _, s := range states {
		if on, ok := s.On.Get(); ok {
			m.Optional = append(m.Optional, Optional{s.Name, on})
		}
	}
	more, err := r.unlessNone(ctx, d, port, "list optional counters", err)
	return m, append(warnings, more...), err
}

func (m *Mode) setQP(auto nldev.AutoCounters) {
	m.QP = auto.Mode.String()
	if auto.Mode == nldev.CountersAuto {
		m.By = autoWords(auto.ByType, auto.ByPID)
	}
}

func autoWords(byType, byPID bool) (words []string) {
	if byType {
		words = append(words, "type")
	}
	if byPID {
		words = append(words, "pid")
	}
	return words
}

// unlessNone makes a warning of err, but for what only says that there is
// nothing to tell.
func (r *Reader) unlessNone(ctx context.Context, d rdma.Device, port uint32, op string, err error) ([]rdma.Warning, error) {
	switch {
	case err == nil, errors.Is(err, ErrNone), errors.Is(err, ErrUnsupported):
		return nil, nil
	case errors.Is(err, nldev.ErrNoDevice):
		return nil, gone(d, err)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return []rdma.Warning{{Object: portName(d, port), Op: op, Err: err}}, nil
}

func (r *Reader) index(d rdma.Device) (uint32, error) {
	index, ok := d.Index.Get()
	if !ok || r.nl == nil {
		return 0, &nldev.UnsupportedError{Feature: "a choice of counters", Since: "5.3", Cause: errNoNetlink}
	}
	return index, nil
}
