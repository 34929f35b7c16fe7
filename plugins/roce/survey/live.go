package survey

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/netstate/live"
	"github.com/ibctl/ibctl/internal/nldev"
)

// Live reads netdevs, and which of them are behind ports, from the kernel.
func Live(t Tables) Sources {
	return Sources{Netdevs: live.Read, Behind: behind, Tables: t}
}

// behind asks nldev, which tells the netdev of a port only to who asks from the
// netdev's own namespace.
func behind(ctx context.Context, s *netstate.Snapshot) (map[PortName]netstate.Ref, []PortName, []rdma.Warning, error) {
	f := finder{refs: map[PortName]netstate.Ref{}, wanted: map[PortName]bool{}}
	if err := f.ask(ctx, s.Namespaces[0].ID, true); err != nil {
		return nil, nil, nil, err
	}
	for _, ns := range s.Namespaces[1:] {
		if len(f.refs) == len(f.wanted) {
			break
		}
		place := live.Place{ID: ns.ID, Name: ns.Name, Path: ns.Path}
		// A namespace may be gone by now, or RDMA devices not be for it.
		_ = place.In(func() error { return f.ask(ctx, ns.ID, false) })
	}
	return f.refs, f.order, f.warnings, ctx.Err()
}

type finder struct {
	refs     map[PortName]netstate.Ref
	wanted   map[PortName]bool
	order    []PortName
	warnings []rdma.Warning
}

// ask notes the ports whose netdevs lie in the calling thread's namespace. All
// ports there are come from the reader's own.
func (f *finder) ask(ctx context.Context, netns uint64, own bool) error {
	conn, err := nldev.Dial()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	devices, err := conn.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		index, ok := d.Index.Get()
		if !ok || d.Protocol != "" && d.Protocol != rdma.ProtocolRoCE {
			continue
		}
		if err := f.ports(ctx, conn, d.Name, index, netns, own); err != nil && own && !errors.Is(err, nldev.ErrNoDevice) {
			f.warnings = append(f.warnings, rdma.Warning{Object: d.Name, Op: "find netdevs of ports", Err: err})
		}
	}
	return nil
}

func (f *finder) ports(ctx context.Context, conn *nldev.Conn, device string, index uint32, netns uint64, own bool) error {
	ports, err := conn.Ports(ctx, index)
	for _, p := range ports {
		name := PortName{device, p.Number}
		if own {
			f.wanted[name] = true
			f.order = append(f.order, name)
		}
		if netdev, ok := p.NetdevIndex.Get(); ok && f.wanted[name] {
			f.refs[name] = netstate.Ref{Netns: netns, Index: netdev}
		}
	}
	if err != nil {
		return fmt.Errorf("list ports: %w", err)
	}
	return nil
}
