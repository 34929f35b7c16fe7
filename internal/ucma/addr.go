package ucma

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Addr is an address and port of the connection manager. A zone, which a
// link-local IPv6 address needs, is an interface index in decimal ("3"), not a
// name: names are known per namespace, and the kernel wants the index.
type Addr = netip.AddrPort

// Sizes of struct sockaddr_in and sockaddr_in6, which the kernel wants exact.
const (
	sizeSockaddr4 = 16
	sizeSockaddr6 = 28
)

// checkAddr tells whether a can be put into a request.
func checkAddr(a Addr) error {
	if !a.Addr().IsValid() {
		return fmt.Errorf("no address: %w", unix.EINVAL)
	}
	if _, err := scopeID(a.Addr()); err != nil {
		return err
	}
	return nil
}

func scopeID(a netip.Addr) (uint32, error) {
	if a.Zone() == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(a.Zone(), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("zone %q is no interface index: %w", a.Zone(), unix.EINVAL)
	}
	return uint32(n), nil
}

// putAddr writes a as a sockaddr into b, which has room for a sockaddr_in6, and
// returns the size it took. An IPv4 address mapped into IPv6 goes out as IPv4.
func putAddr(b []byte, a Addr) int {
	binary.BigEndian.PutUint16(b[2:], a.Port())
	ip := a.Addr().Unmap()
	if ip.Is4() {
		native.PutUint16(b, unix.AF_INET)
		copy(b[4:8], ip.AsSlice())
		return sizeSockaddr4
	}
	native.PutUint16(b, unix.AF_INET6)
	copy(b[8:24], ip.AsSlice())
	scope, _ := scopeID(ip) // checkAddr has seen it
	native.PutUint32(b[24:], scope)
	return sizeSockaddr6
}

// parseAddr reads a sockaddr_in or sockaddr_in6. An id that has no address yet
// has family 0, which is the zero Addr and no error.
func parseAddr(b []byte) (Addr, error) {
	if len(b) < sizeSockaddr6 {
		return Addr{}, fmt.Errorf("socket address of %d octets, want %d", len(b), sizeSockaddr6)
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch family := native.Uint16(b); family {
	case unix.AF_UNSPEC:
		return Addr{}, nil
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), nil
	case unix.AF_INET6:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if scope := native.Uint32(b[24:]); scope != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(ip, port), nil
	default:
		return Addr{}, fmt.Errorf("socket address of family %d", family)
	}
}
