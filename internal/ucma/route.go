package ucma

import (
	"encoding/binary"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Route is where an id leads (struct rdma_ucm_query_route_resp).
type Route struct {
	// Source and Destination are zero until known; so is the rest while the id
	// is bound to no device, which Bound tells.
	Source, Destination Addr
	Bound               bool
	// DeviceIndex is the kernel's index, the one that nldev uses. Unknown where
	// the kernel is older than the field.
	DeviceIndex rdma.Opt[uint32]
	NodeGUID    rdma.GUID
	Port        uint32
	// SGID and DGID are known once the address is resolved.
	SGID, DGID rdma.GID
	// Path is there once the route is resolved.
	Path rdma.Opt[Path]
}

// Path is what a resolved route adds (struct ib_user_path_rec). On RoCE the
// kernel makes it up from the local netdev and the IP route; on InfiniBand it
// is the subnet administrator's answer.
type Path struct {
	// MTU is the path MTU in octets. On RoCE it is the local netdev's, not that
	// of the path. Unknown if the kernel gave a number outside the enum.
	MTU          rdma.Opt[uint32]
	PKey         uint16
	FlowLabel    uint32
	HopLimit     uint8
	TrafficClass uint8
	SL           uint8
	// SLID and DLID are those of InfiniBand and zero elsewhere.
	SLID, DLID uint16
}

// routeIndexAt is the offset of ibdev_index in the answer. A kernel that has no
// such field (before 5.10) leaves there what was put before: noIndex, which is
// beyond the 31 bits that indices have.
const (
	routeIndexAt = 200
	noIndex      = ^uint32(0)
)

// parseRoute decodes the answer to QUERY_ROUTE.
func parseRoute(b []byte) (Route, error) {
	if len(b) < sizeRouteResponse {
		return Route{}, fmt.Errorf("route of %d octets, want %d", len(b), sizeRouteResponse)
	}
	src, err := parseAddr(b[136:])
	if err != nil {
		return Route{}, fmt.Errorf("source: %w", err)
	}
	dst, err := parseAddr(b[164:])
	if err != nil {
		return Route{}, fmt.Errorf("destination: %w", err)
	}
	r := Route{Source: src, Destination: dst}
	if port := b[196]; port != 0 {
		r.bind(b, port)
	}
	return r, nil
}

func (r *Route) bind(b []byte, port byte) {
	r.Bound = true
	r.NodeGUID = rdma.GUID(binary.BigEndian.Uint64(b))
	r.Port = uint32(port)
	if index := native.Uint32(b[routeIndexAt:]); index != noIndex {
		r.DeviceIndex = rdma.Known(index)
	}
	path := b[8:72]
	r.DGID, r.SGID = rdma.GID(path[:16]), rdma.GID(path[16:32])
	if paths := native.Uint32(b[192:]); paths > 0 {
		r.Path = rdma.Known(parsePath(path))
	}
}

func parsePath(b []byte) Path {
	return Path{
		MTU:          mtuOctets(native.Uint32(b[48:])),
		PKey:         binary.BigEndian.Uint16(b[52:]),
		FlowLabel:    binary.BigEndian.Uint32(b[40:]),
		HopLimit:     b[54],
		TrafficClass: b[55],
		SL:           b[57],
		DLID:         binary.BigEndian.Uint16(b[32:]),
		SLID:         binary.BigEndian.Uint16(b[34:]),
	}
}

// mtuOctets turns enum ib_mtu into octets: 1 is 256, 5 is 4096.
func mtuOctets(enum uint32) rdma.Opt[uint32] {
	if enum < 1 || enum > 5 {
		return rdma.Opt[uint32]{}
	}
	return rdma.Known(uint32(128) << enum)
}
