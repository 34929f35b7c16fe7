package nldev

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// Endpoint is one end of a CM id: an IP address with a port, or a GID with a
// service id (AF_IB). The zero value is none.
type Endpoint struct {
	// IP has the interface index as its zone if it is link-local.
	IP netip.AddrPort
	// GID and ServiceID are set if HasGID is.
	HasGID    bool
	GID       rdma.GID
	ServiceID uint64
}

// String returns "10.1.1.2:7174", "[fe80::1%3]:7174", or a GID and a service id.
func (e Endpoint) String() string {
	switch {
	case e.HasGID:
		return fmt.Sprintf("%v sid 0x%016x", e.GID, e.ServiceID)
	case e.IP.IsValid():
		return e.IP.String()
	}
	return ""
}

// intoEndpoint reads a struct sockaddr_storage.
func intoEndpoint(dst *Endpoint, a attr) error {
	if err := a.fixed(sizeSockaddrStorage); err != nil {
		return err
	}
	b := a.data
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		*dst = Endpoint{IP: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)}
	case unix.AF_INET6:
		*dst = Endpoint{IP: netip.AddrPortFrom(scoped(netip.AddrFrom16([16]byte(b[8:24])), binary.NativeEndian.Uint32(b[24:])), port)}
	case afIB:
		*dst = Endpoint{HasGID: true, GID: rdma.GID(b[8:24]), ServiceID: binary.BigEndian.Uint64(b[24:])}
	default: // AF_UNSPEC, or what a newer kernel may have: not known
		*dst = Endpoint{}
	}
	return nil
}

func scoped(ip netip.Addr, scope uint32) netip.Addr {
	if scope == 0 {
		return ip
	}
	return ip.WithZone(strconv.FormatUint(uint64(scope), 10))
}
