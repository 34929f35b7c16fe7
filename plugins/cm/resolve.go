package cm

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/iproute"
	"github.com/ibctl/ibctl/internal/ucma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// defaultTimeout is for questions that name none.
const defaultTimeout = 5 * time.Second

// Resolve implements [cmv1.CMServer].
func (s *service) Resolve(ctx context.Context, req *cmv1.ResolveRequest) (*cmv1.Resolution, error) {
	q, err := newQuestion(req.GetDestination(), req.GetSource())
	if err != nil {
		return nil, err
	}
	if req.Tos != nil {
		if req.GetTos() > 255 {
			return nil, status.Errorf(codes.InvalidArgument, "type of service %d: want 0 to 255", req.GetTos())
		}
		q.tos = rdma.Known(uint8(req.GetTos()))
	}
	ctx, cancel := context.WithTimeout(ctx, inTime(ctx, timeoutOr(req.GetTimeoutMs(), defaultTimeout)))
	defer cancel()
	var answer *cmv1.Resolution
	err = s.client.fleet.run(ctx, func(ctx context.Context, session *session) error {
		w, err := s.client.findWay(ctx, session, q)
		if err != nil {
			return err
		}
		answer = s.client.describe(ctx, w, q)
		return w.Close()
	})
	return answer, withCode(err)
}

// inTime leaves of a limit what lets the reason arrive while the caller waits: a
// tenth of the caller's own.
func inTime(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(limit, time.Until(deadline)*9/10)
	}
	return limit
}

func timeoutOr(ms uint32, fallback time.Duration) time.Duration {
	if ms == 0 {
		return fallback
	}
	return time.Duration(ms) * time.Millisecond
}

// newQuestion checks the addresses of a request.
func newQuestion(destination, source *cmv1.Address) (q question, err error) {
	if q.destination, err = destination.AddrPort(); err != nil {
		return q, status.Errorf(codes.InvalidArgument, "destination: %v", err)
	}
	if q.source, err = source.AddrPort(); err != nil {
		return q, status.Errorf(codes.InvalidArgument, "source: %v", err)
	}
	return q, checkDestination(q.destination.Addr())
}

// checkDestination refuses what the kernel would resolve to some device of its
// choice, or not at all.
func checkDestination(ip netip.Addr) error {
	switch {
	case !ip.IsValid():
		return status.Error(codes.InvalidArgument, "no destination")
	case ip.IsUnspecified(), ip.IsLoopback(), ip.IsMulticast():
		return status.Errorf(codes.InvalidArgument, "%v is not the address of a host on an RDMA network", ip)
	case ip.IsLinkLocalUnicast() && ip.Is6() && ip.Zone() == "":
		return status.Errorf(codes.InvalidArgument, "%v is link-local: say on which interface, as in %v%%eth0", ip, ip)
	}
	return nil
}

// describe says all there is to say of a way.
func (c *Client) describe(ctx context.Context, w *way, q question) *cmv1.Resolution {
	info := w.device.Info()
	out := &cmv1.Resolution{
		Device:      info.Name,
		DeviceIndex: w.device.index,
		Port:        w.route.Port,
		Source:      cmv1.NewAddress(w.route.Source),
		Destination: cmv1.NewAddress(w.route.Destination),
		Sgid:        w.route.SGID[:],
		Dgid:        w.route.DGID[:],
	}
	if path, ok := w.route.Path.Get(); ok {
		describePath(out, path, linkLayer(info, w.route.Port))
	}
	netdev := c.describeIP(out, q, w.route)
	entry, warnings := c.sourceGID(ctx, w.device, w.route.Port, w.route.SGID, netdev)
	out.GidType = string(entry.typ)
	if index, ok := entry.index.Get(); ok {
		out.GidIndex = &index
	}
	out.Warnings = append(out.Warnings, cmv1.NewWarnings(warnings)...)
	return out
}

func describePath(out *cmv1.Resolution, path ucma.Path, link rdma.LinkLayer) {
	out.HopLimit, out.TrafficClass = uint32(path.HopLimit), uint32(path.TrafficClass)
	out.Sl, out.Pkey = uint32(path.SL), uint32(path.PKey)
	if mtu, ok := path.MTU.Get(); ok {
		out.PathMtu = &mtu
	}
	if link == rdma.LinkLayerInfiniBand {
		slid, dlid := uint32(path.SLID), uint32(path.DLID)
		out.Slid, out.Dlid = &slid, &dlid
	}
}

// describeIP adds what the routing tables say, and returns the netdev that the
// source GID must belong to. To an address of this host the route leads over lo,
// but the GID belongs to the netdev that has the address.
func (c *Client) describeIP(out *cmv1.Resolution, q question, route ucma.Route) (netdev string) {
	found, err := iproute.Lookup(q.source.Addr(), q.destination.Addr())
	if err != nil {
		out.Warnings = append(out.Warnings, cmv1.NewWarning(rdma.Warning{Object: q.destination.Addr().String(), Op: "look up route", Err: err}))
		return ""
	}
	out.Route, out.Rule = found.Match, found.Rule
	if found.Gateway.IsValid() {
		out.Gateway = cmv1.NewAddress(netip.AddrPortFrom(found.Gateway, 0))
	}
	out.Netdev = found.Netdev
	if found.Netdev == "lo" {
		out.Netdev = iproute.NetdevOf(route.Source.Addr())
	}
	return out.Netdev
}
