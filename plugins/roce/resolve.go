package roce

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// ResolveGID implements [rocev1.RoCEServer].
func (s *service) ResolveGID(ctx context.Context, req *rocev1.ResolveGIDRequest) (*rocev1.GIDResolution, error) {
	q, err := newQuestion(req)
	if err != nil {
		return nil, err
	}
	out := &rocev1.GIDResolution{}
	if out.Problem = q.locate(out); out.Problem != "" {
		return out, nil
	}
	var all []candidate
	look := func(ctx context.Context, dev *plugin.Device) error {
		if err := checkPort(dev.Info(), q.port); err != nil && req.GetDevice() != nil {
			return err
		}
		found, warnings := s.client.candidates(ctx, dev, q)
		all = append(all, found...)
		out.Warnings = append(out.Warnings, rocev1.NewWarnings(warnings)...)
		return ctx.Err()
	}
	if req.GetDevice() != nil {
		err = s.devices.Use(ctx, req.GetDevice(), look)
	} else {
		err = s.devices.Each(ctx, look)
	}
	if err != nil {
		return nil, err
	}
	q.choose(all)
	s.client.fill(out, all, q)
	return out, nil
}

func checkPort(dev rdma.Device, port rdma.Opt[uint32]) error {
	number, asked := port.Get()
	has := func(p rdma.Port) bool { return p.Number == number }
	if asked && !slices.ContainsFunc(dev.Ports, has) {
		return status.Errorf(codes.NotFound, "%s/%d: %v", dev.Name, number, sysfs.ErrNoPort)
	}
	return nil
}

// fill writes down what became of the candidates.
func (c *Client) fill(out *rocev1.GIDResolution, all []candidate, q question) {
	if !slices.ContainsFunc(all, func(one candidate) bool { return one.chosen }) {
		out.Problem = q.problem(all)
	}
	for _, one := range all {
		w := &rocev1.GIDCandidate{Device: one.entry.Device, Port: one.entry.Port, Gid: rocev1.NewGID(one.entry), Chosen: one.chosen, Reason: one.reason}
		mtu := c.mtu(one.entry.Netdev)
		if v, ok := mtu.Get(); ok {
			w.NetdevMtu = &v
		}
		if v, ok := pathMTU(mtu).Get(); ok {
			w.PathMtu = &v
		}
		if one.chosen {
			out.Warnings = append(out.Warnings, rocev1.NewWarnings(one.doubts())...)
		}
		out.Candidates = append(out.Candidates, w)
	}
}

// doubts are what keeps the chosen one from being of use.
func (c candidate) doubts() []rdma.Warning {
	if !down(c.state) {
		return nil
	}
	return []rdma.Warning{{Object: c.place(), Op: "look at port",
		Err: fmt.Errorf("the port is %v: the GID is there, and nothing gets through", c.state.Or(rdma.PortDown))}}
}

// problem says why there is no answer.
func (q question) problem(all []candidate) string {
	switch {
	case len(all) == 0:
		return "there are no GIDs to choose from"
	case q.connection && q.over != "":
		return fmt.Sprintf("no GID fits: %s, where no attached port has %v", q.way(), q.gid.Addr())
	}
	reason := all[0].reason
	if slices.ContainsFunc(all, func(c candidate) bool { return c.reason != reason }) {
		return "none of the GIDs fits"
	}
	return "no GID fits: " + reason
}
