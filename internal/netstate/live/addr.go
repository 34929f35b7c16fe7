package live

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/netstate"
)

// decodeAddr reads an RTM_NEWADDR message, and says which netdev it is of.
func decodeAddr(payload []byte) (addr netstate.Addr, index uint32, err error) {
	if len(payload) < unix.SizeofIfAddrmsg {
		return addr, 0, fmt.Errorf("%w: address of %d octets", errMalformed, len(payload))
	}
	// struct ifaddrmsg: family, prefixlen, flags, scope, index (4).
	addr.Bits, addr.Flags = payload[1], netstate.AddrFlags(payload[2])
	index = binary.NativeEndian.Uint32(payload[4:])
	var address netip.Addr
	err = eachAttr(payload[unix.SizeofIfAddrmsg:], func(a attr) {
		switch a.typ {
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(a.data)
		case unix.IFA_LOCAL:
			addr.Local, _ = netip.AddrFromSlice(a.data)
		case unix.IFA_FLAGS:
			addr.Flags = netstate.AddrFlags(a.u32())
		}
	})
	// Without a peer, IPv4 has both and they are equal; IPv6 has IFA_ADDRESS alone.
	switch {
	case !addr.Local.IsValid():
		addr.Local = address
	case address != addr.Local:
		addr.Peer = address
	}
	if err == nil && !addr.Local.IsValid() {
		err = fmt.Errorf("%w: address without an address", errMalformed)
	}
	return addr, index, err
}
