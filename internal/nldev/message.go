package nldev

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// refusal is the content of an NLMSG_ERROR, or of an NLMSG_DONE that ended early.
type refusal struct {
	errno   unix.Errno // 0: an acknowledgement
	message string     // NLMSGERR_ATTR_MSG
}

// nlmsgErrAttrMsg is NLMSGERR_ATTR_MSG (include/uapi/linux/netlink.h).
const nlmsgErrAttrMsg = 1

// decodeDone reads the errno of an NLMSG_DONE; a message without one is a success.
func decodeDone(m syscall.NetlinkMessage) (refusal, error) {
	if len(m.Data) == 0 {
		return refusal{}, nil
	}
	errno, err := leadingErrno(m.Data)
	if err != nil {
		return refusal{}, err
	}
	return refusal{errno, extAck(m, m.Data[4:])}, nil
}

// decodeError reads a struct nlmsgerr: the errno, the header of the request
// (and its payload, unless capped), and then perhaps attributes.
func decodeError(m syscall.NetlinkMessage) (refusal, error) {
	errno, err := leadingErrno(m.Data)
	if err != nil {
		return refusal{}, err
	}
	echo := m.Data[4:]
	if len(echo) < unix.SizeofNlMsghdr {
		return refusal{}, fmt.Errorf("%w: NLMSG_ERROR of %d octets", ErrMalformed, len(m.Data))
	}
	skip := uint64(unix.SizeofNlMsghdr)
	if m.Header.Flags&unix.NLM_F_CAPPED == 0 {
		skip = (uint64(binary.NativeEndian.Uint32(echo)) + 3) &^ 3
	}
	if skip > uint64(len(echo)) {
		return refusal{errno: errno}, nil // no attributes then; the errno is what matters
	}
	return refusal{errno, extAck(m, echo[skip:])}, nil
}

func leadingErrno(b []byte) (unix.Errno, error) {
	if len(b) < 4 {
		return 0, fmt.Errorf("%w: %d octets where an errno should be", ErrMalformed, len(b))
	}
	code := int32(binary.NativeEndian.Uint32(b))
	if code > 0 || code < -4095 { // MAX_ERRNO
		return 0, fmt.Errorf("%w: errno %d", ErrMalformed, code)
	}
	return unix.Errno(-code), nil
}

// extAck returns the kernel's message, if the attributes hold one. What is
// wrong with them does not matter: the errno has been read.
func extAck(m syscall.NetlinkMessage, attrs []byte) (message string) {
	if m.Header.Flags&unix.NLM_F_ACK_TLVS == 0 {
		return ""
	}
	_ = eachAttr(attrs, func(a attr) error {
		if a.typ != nlmsgErrAttrMsg {
			return nil
		}
		return intoText(&message, a)
	})
	return message
}
