package survey

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// PortName identifies a port of a device that was listed now.
type PortName struct {
	Device string
	Port   uint32
}

// String returns "mlx5_0/1".
func (p PortName) String() string { return fmt.Sprintf("%s/%d", p.Device, p.Port) }

// Table is a port's table, or why there is none.
type Table struct {
	PortName
	sysfs.GIDTable
	Warnings []rdma.Warning
	Err      error
}

// Survey is what was read. It does not change any more.
type Survey struct {
	Netdevs netstate.Snapshot
	// Behind tells which netdev is behind each RoCE port of the host, of those
	// that could be seen. Ports lists them in the kernel's order.
	Behind map[PortName]netstate.Ref
	Ports  []PortName
	// Tables are those that were asked for, in the order of the request.
	Tables   []Table
	Warnings []rdma.Warning
}

// Sources are where a survey gets its parts from. Each is called anew for every
// attempt.
type Sources struct {
	Netdevs func(context.Context) (netstate.Snapshot, []rdma.Warning, error)
	// Behind finds the netdevs of ports, in the namespaces of a snapshot.
	Behind func(context.Context, *netstate.Snapshot) (map[PortName]netstate.Ref, []PortName, []rdma.Warning, error)
	Tables Tables
}

// Tables are those that are wanted.
type Tables interface {
	Read(context.Context) []Table
	// Same tells whether their slots hold the GIDs that they held when they were read.
	Same(context.Context, []Table) bool
}

func (s Sources) read(ctx context.Context) (*Survey, error) {
	var out Survey
	var err error
	if out.Netdevs, out.Warnings, err = s.Netdevs(ctx); err != nil {
		return nil, err
	}
	var more []rdma.Warning
	if out.Behind, out.Ports, more, err = s.Behind(ctx, &out.Netdevs); err != nil {
		return nil, err
	}
	out.Warnings = append(out.Warnings, more...)
	out.Tables = s.Tables.Read(ctx)
	return &out, ctx.Err()
}

// ErrUnsettled says that two surveys in a row were never equal.
var ErrUnsettled = errors.New("changes faster than it can be read")

// How long a survey waits for the kernel. What has its faults must keep them for
// Faulty, as the kernel may not yet have come round to a change.
const (
	gap     = 20 * time.Millisecond
	faulty  = time.Second
	give    = 10 * time.Second
	recheck = 200 * time.Millisecond
)

// Settled reads until two surveys in a row are equal. Where sound has something
// against what they show, they must stay equal for a second. Where they do not
// become equal, it returns the last one with [ErrUnsettled].
//
// What is sound already need not be read a second time as a whole. It is settled if its
// GIDs are where they were and the netdevs are as they were: then there is nothing that
// the kernel would still have to bring about.
func Settled(ctx context.Context, s Sources, sound func(*Survey) bool) (*Survey, error) {
	end := time.Now().Add(give)
	last, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	since, wait := time.Now(), gap
	for {
		begin := time.Now()
		good := sound(last)
		if err := pause(ctx, wait-time.Since(begin)); err != nil {
			return nil, err
		}
		if good {
			if still, err := s.still(ctx, last); still || err != nil {
				return last, err
			}
		}
		next, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		same := next.equal(last)
		switch {
		case same && (good || time.Since(since) >= faulty):
			return next, nil
		case time.Now().After(end):
			return next, ErrUnsettled
		case !same:
			since = time.Now()
		}
		last, wait = next, recheck
	}
}

// still tells whether a survey has not been overtaken, as far as GIDs and netdevs show.
func (s Sources) still(ctx context.Context, last *Survey) (bool, error) {
	if !s.Tables.Same(ctx, last.Tables) {
		return false, ctx.Err()
	}
	now := Survey{Tables: last.Tables}
	var err error
	if now.Netdevs, _, err = s.Netdevs(ctx); err != nil {
		return false, err
	}
	now.Behind, _, _, err = s.Behind(ctx, &now.Netdevs)
	return err == nil && now.equalNetdevs(last), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// equal compares what the rules look at; warnings and errors may differ in words.
func (s *Survey) equal(o *Survey) bool {
	if len(s.Tables) != len(o.Tables) || !s.equalNetdevs(o) {
		return false
	}
	for i, t := range s.Tables {
		if (t.Err == nil) != (o.Tables[i].Err == nil) || !reflect.DeepEqual(t.GIDTable, o.Tables[i].GIDTable) {
			return false
		}
	}
	return true
}

func (s *Survey) equalNetdevs(o *Survey) bool {
	return reflect.DeepEqual(s.Netdevs, o.Netdevs) && reflect.DeepEqual(s.Behind, o.Behind)
}
