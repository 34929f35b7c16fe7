package counters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
)

// SetAuto has the kernel give counters to the queue pairs that are made from now
// on, to those in common that share what by says: type, pid or both. With
// nothing they get none. It needs CAP_NET_ADMIN.
func (r *Reader) SetAuto(ctx context.Context, d rdma.Device, port uint32, by []string) error {
	index, err := r.index(d)
	if err != nil {
		return err
	}
	return r.nl.SetAutoCounters(ctx, index, port, slices.Contains(by, "type"), slices.Contains(by, "pid"))
}

// UnknownError says that a port has no optional counter of a name.
type UnknownError struct {
	Name string
	// Known are those it has.
	Known []string
}

// Error implements error.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return e.Name + ": the port has no optional counters"
	}
	return e.Name + ": no such optional counter: there is " + strings.Join(e.Known, ", ")
}

// SetOptional switches optional counters: on the named ones, and the others off.
// It needs CAP_NET_ADMIN.
func (r *Reader) SetOptional(ctx context.Context, d rdma.Device, port uint32, names []string) error {
	index, err := r.index(d)
	if err != nil {
		return err
	}
	states, err := r.nl.CounterStates(ctx, index, port)
	if err != nil {
		return err
	}
	indices, err := optionalIndices(states, names)
	if err != nil {
		return err
	}
	return r.nl.SetOptionalCounters(ctx, index, port, indices)
}

func optionalIndices(states []nldev.CounterState, names []string) ([]uint32, error) {
	byName, known := map[string]uint32{}, []string(nil)
	for _, s := range states {
		if s.On.IsKnown() {
			byName[s.Name], known = s.Index, append(known, s.Name)
		}
	}
	var indices []uint32
	for _, name := range names {
		n, ok := byName[name]
		if !ok {
			return nil, &UnknownError{name, known}
		}
		indices = append(indices, n)
	}
	return indices, nil
}

// Bind gives a queue pair a counter set of its own, or one that there is, and
// returns the set's id, if the kernel tells it. It needs CAP_NET_ADMIN.
func (r *Reader) Bind(ctx context.Context, d rdma.Device, port, qpn uint32, set rdma.Opt[uint32]) (rdma.Opt[uint32], error) {
	index, err := r.index(d)
	if err != nil {
		return rdma.Opt[uint32]{}, err
	}
	id, err := r.nl.BindCounter(ctx, index, port, qpn, set)
	return id, noQP(qpn, err)
}

// Unbind takes a queue pair off a counter set. It needs CAP_NET_ADMIN.
func (r *Reader) Unbind(ctx context.Context, d rdma.Device, port, qpn, set uint32) error {
	index, err := r.index(d)
	if err != nil {
		return err
	}
	return noQP(qpn, r.nl.UnbindCounter(ctx, index, port, qpn, set))
}

// ErrNoQP says that a device has no queue pair of the number asked for.
var ErrNoQP = errors.New("no such queue pair")

func noQP(qpn uint32, err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("%d: %w: %w", qpn, ErrNoQP, err)
	}
	return err
}
