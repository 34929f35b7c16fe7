package roce

import (
	"net/netip"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/iproute"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// question is what the one GID to use must fit. What is zero asks for nothing.
type question struct {
	to, from netip.Addr
	netdev   string
	port     rdma.Opt[uint32]
	typ      rdma.GIDType

	// connection is set where the kernel's connection manager would choose: by the
	// source address gid, which it finds on over.
	connection bool
	gid        rdma.GID
	over       string
}

// newQuestion checks a request.
func newQuestion(req *rocev1.ResolveGIDRequest) (q question, err error) {
	if q.to, err = req.GetTo().Addr(); err != nil {
		return q, status.Errorf(codes.InvalidArgument, "to: %v", err)
	}
	if q.from, err = req.GetFrom().Addr(); err != nil {
		return q, status.Errorf(codes.InvalidArgument, "from: %v", err)
	}
	q.netdev, q.typ = req.GetNetdev(), rdma.GIDType(req.GetType())
	if req.Port != nil {
		q.port = rdma.Known(req.GetPort())
	}
	if !q.to.IsValid() && !q.from.IsValid() && q.netdev == "" && req.GetDevice() == nil {
		return q, status.Error(codes.InvalidArgument, "nothing asked: want an address, an interface or a device")
	}
	return q, checkAddresses(q.to, q.from)
}

// checkAddresses refuses those that no port has, or that do not say where they are.
func checkAddresses(all ...netip.Addr) error {
	for _, ip := range all {
		switch {
		case !ip.IsValid():
		case ip.IsUnspecified(), ip.IsLoopback(), ip.IsMulticast():
			return status.Errorf(codes.InvalidArgument, "%v is not the address of a host on an RDMA network", ip)
		case ip.IsLinkLocalUnicast() && ip.Is6() && ip.Zone() == "":
			return status.Errorf(codes.InvalidArgument, "%v is link-local: say on which interface, as in %v%%eth0", ip, ip)
		}
	}
	return nil
}

// locate finds out which source address the kernel would use, and on which netdev,
// and adds to out what it went by. It returns why there is none.
func (q *question) locate(out *rocev1.GIDResolution) (problem string) {
	switch {
	case q.to.IsValid():
		return q.followRoute(out)
	case q.from.IsValid():
		q.connection, q.gid = true, rdma.GIDFromAddr(q.from.WithZone(""))
		q.over = ownNetdev(q.from)
		if q.over == "" {
			return q.from.String() + " is not an address of this host, as this network namespace sees it"
		}
		out.Source, out.Netdev = rocev1.NewIPAddress(q.from), q.over
	}
	return ""
}

// followRoute asks the routing tables. To an address of this host the route leads
// over lo, but the GID belongs to the netdev that has the source address.
func (q *question) followRoute(out *rocev1.GIDResolution) (problem string) {
	route, err := iproute.Lookup(q.from, q.to)
	if err != nil {
		return err.Error()
	}
	out.Route, out.Rule, out.Gateway = route.Match, route.Rule, rocev1.NewIPAddress(route.Gateway)
	q.connection, q.over = true, route.Netdev
	if !route.Source.IsValid() {
		return "the route to " + q.to.String() + " has no source address"
	}
	if q.over == "lo" {
		q.over = iproute.NetdevOf(route.Source)
	}
	out.Netdev, out.Source = q.over, rocev1.NewIPAddress(route.Source)
	q.gid = rdma.GIDFromAddr(route.Source)
	if port, ok := ipoibGID(q.over); ok {
		q.gid = port
	}
	return ""
}

// ownNetdev returns the netdev of this namespace that has the address.
func ownNetdev(ip netip.Addr) string {
	if index, err := strconv.Atoi(ip.Zone()); err == nil {
		return linkName(index)
	}
	return iproute.NetdevOf(ip)
}
