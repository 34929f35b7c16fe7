package nldev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

// ErrMalformed marks an answer that is not what the kernel's uapi promises.
var ErrMalformed = errors.New("malformed message")

// attr is one netlink attribute, its payload cut to the length it claims.
type attr struct {
	typ  uint16
	data []byte
}

// attrTypeMask takes NLA_F_NESTED and NLA_F_NET_BYTEORDER off an attribute's type.
const attrTypeMask = ^uint16(unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)

// eachAttr calls f for every attribute in payload and stops at the first error.
func eachAttr(payload []byte, f func(attr) error) error {
	for len(payload) > 0 {
		a, rest, err := cutAttr(payload)
		if err != nil {
			return err
		}
		if err := f(a); err != nil {
			return err
		}
		payload = rest
	}
	return nil
}

func cutAttr(b []byte) (a attr, rest []byte, err error) {
	if len(b) < unix.SizeofNlAttr {
		return attr{}, nil, fmt.Errorf("%w: %d octets where an attribute should be", ErrMalformed, len(b))
	}
	size := int(binary.NativeEndian.Uint16(b))
	if size < unix.SizeofNlAttr || size > len(b) {
		return attr{}, nil, fmt.Errorf("%w: attribute of length %d in %d octets", ErrMalformed, size, len(b))
	}
	a = attr{binary.NativeEndian.Uint16(b[2:]) & attrTypeMask, b[unix.SizeofNlAttr:size]}
	aligned := (size + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1)
	return a, b[min(aligned, len(b)):], nil // the last attribute may lack its padding
}

func (a attr) fixed(size int) error {
	if len(a.data) != size {
		return fmt.Errorf("%w: attribute %d has %d octets, not %d", ErrMalformed, a.typ, len(a.data), size)
	}
	return nil
}

func (a attr) u8() (uint8, error) {
	if err := a.fixed(1); err != nil {
		return 0, err
	}
	return a.data[0], nil
}

func (a attr) u32() (uint32, error) {
	if err := a.fixed(4); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint32(a.data), nil
}

func (a attr) u64() (uint64, error) {
	if err := a.fixed(8); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(a.data), nil
}

// text reads an NLA_NUL_STRING: it ends at its first NUL, which must be there.
func (a attr) text() (string, error) {
	s, _, found := bytes.Cut(a.data, []byte{0})
	if !found {
		return "", fmt.Errorf("%w: text attribute %d has no end", ErrMalformed, a.typ)
	}
	return string(s), nil
}

func (a attr) flag() (bool, error)                { v, err := a.u8(); return v != 0, err }
func (a attr) guid() (rdma.GUID, error)           { v, err := a.u64(); return rdma.GUID(v), err }
func (a attr) lmc() (uint32, error)               { v, err := a.u8(); return uint32(v), err }
func (a attr) nodeType() (rdma.NodeType, error)   { v, err := a.u8(); return rdma.NodeType(v), err }
func (a attr) portState() (rdma.PortState, error) { v, err := a.u8(); return rdma.PortState(v), err }
func (a attr) physState() (rdma.PhysState, error) { v, err := a.u8(); return rdma.PhysState(v), err }

// capMask takes CapabilityMask from the flags of a port; CapabilityMask2 lies above it.
func (a attr) capMask() (uint32, error) { v, err := a.u64(); return uint32(v), err }

// into reads a into dst, which stays unknown if that fails.
func into[T any](dst *rdma.Opt[T], a attr, read func(attr) (T, error)) error {
	v, err := read(a)
	if err == nil {
		*dst = rdma.Known(v)
	}
	return err
}

// intoText is into for texts, whose unknown value is the empty one.
func intoText[T ~string](dst *T, a attr) error {
	s, err := a.text()
	*dst = T(s)
	return err
}
