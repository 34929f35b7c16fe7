package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// errMalformed marks an answer that is not what the kernel's uapi promises.
var errMalformed = errors.New("malformed message")

// attr is one netlink attribute.
type attr struct {
	typ  uint16
	data []byte
}

// eachAttr calls f for every attribute in payload.
func eachAttr(payload []byte, f func(attr)) error {
	for len(payload) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(payload))
		if size < unix.SizeofNlAttr || size > len(payload) {
			return fmt.Errorf("%w: attribute of length %d in %d octets", errMalformed, size, len(payload))
		}
		typ := binary.NativeEndian.Uint16(payload[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		f(attr{typ, payload[unix.SizeofNlAttr:size]})
		payload = payload[min((size+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(payload)):]
	}
	return nil
}

// nested calls f for the attributes within a. Those that make no sense are left
// out: the driver that wrote them is one of many.
func (a attr) nested(f func(attr)) { _ = eachAttr(a.data, f) }

// u8, u16 and u32 read a number; one of another size is 0, which no attribute
// read here means anything by.
func (a attr) u8() uint8 {
	if len(a.data) != 1 {
		return 0
	}
	return a.data[0]
}

func (a attr) u16() uint16 {
	if len(a.data) != 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(a.data)
}

func (a attr) u32() uint32 {
	if len(a.data) != 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a.data)
}

// text reads a string that ends with its first NUL, if there is one.
func (a attr) text() string {
	text, _, _ := strings.Cut(string(a.data), "\x00")
	return text
}
