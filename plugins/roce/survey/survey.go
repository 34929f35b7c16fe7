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
	// Tables reads the tables that are wanted.
	Tables func(context.Context) []Table
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
	out.Tables = s.Tables(ctx)
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
func Settled(ctx context.Context, s Sources, sound func(*Survey) bool) (*Survey, error) {
	end := time.Now().Add(give)
	last, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	since, wait := time.Now(), gap
	for {
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		next, err := s.read(ctx)
		if err != nil {
			return nil, err
		}
		same := next.equal(last)
		switch {
		case same && (sound(next) || time.Since(since) >= faulty):
			return next, nil
		case time.Now().After(end):
			return next, ErrUnsettled
		case !same:
			since = time.Now()
		}
		last, wait = next, recheck
	}
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
	if len(s.Tables) != len(o.Tables) || !reflect.DeepEqual(s.Netdevs, o.Netdevs) || !reflect.DeepEqual(s.Behind, o.Behind) {
		return false
	}
	for i, t := range s.Tables {
		if (t.Err == nil) != (o.Tables[i].Err == nil) || !reflect.DeepEqual(t.GIDTable, o.Tables[i].GIDTable) {
			return false
		}
	}
	return true
}
