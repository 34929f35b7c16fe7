package rtevent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrMalformed marks a message that makes no sense.
var ErrMalformed = errors.New("malformed rtnetlink message")

// Kind is what an event is about.
type Kind uint8

// The kinds of events.
const (
	LinkSet  Kind = iota // an interface is new, or something of it may have changed
	LinkGone             // an interface is gone
	Touched              // one of its addresses, or its place in a bridge, may have changed
)

// Event says that something happened to an interface.
type Event struct {
	Kind Kind
	// Index is the interface's, in its own namespace.
	Index uint32
	// Elsewhere is set for an interface of another namespace.
	Elsewhere bool
	// Link is what the event says of an interface; zero where Kind is Touched.
	Link Link
}

// Link is an interface and what it lies on.
type Link struct {
	Index uint32
	Name  string
	// Lower is the index of the interface that it is made on (IFLA_LINK), as a VLAN
	// is; 0 for none, or one of another namespace.
	Lower uint32
	// Kind is the driver's name (IFLA_INFO_KIND): "vlan"; empty for hardware.
	Kind string
	// Master is the index of the bond, bridge or the like that it is a port of; 0
	// for none.
	Master uint32
}

// sizes of the headers: struct nlmsghdr, ifinfomsg and ifaddrmsg.
const (
	sizeHeader = unix.SizeofNlMsghdr
	sizeLink   = unix.SizeofIfInfomsg
	sizeAddr   = unix.SizeofIfAddrmsg
)

// decode reads the events of one datagram. Other messages are passed over.
func decode(datagram []byte) (events []Event, err error) {
	for len(datagram) >= sizeHeader {
		size := int(binary.NativeEndian.Uint32(datagram))
		if size < sizeHeader || size > len(datagram) {
			return events, fmt.Errorf("%w: length %d in %d octets", ErrMalformed, size, len(datagram))
		}
		e, known, bad := decodeOne(binary.NativeEndian.Uint16(datagram[4:]), datagram[sizeHeader:size])
		if err = errors.Join(err, bad); known && bad == nil {
			events = append(events, e)
		}
		datagram = datagram[min(align(size), len(datagram)):]
	}
	return events, err
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

func decodeOne(typ uint16, payload []byte) (e Event, known bool, err error) {
	switch typ {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		e.Link, err = decodeLink(payload)
		e.Index = e.Link.Index
		switch {
		case err != nil:
		case payload[0] != unix.AF_UNSPEC:
			e.Kind, e.Link = Touched, Link{} // AF_BRIDGE: a port came or went, no interface
		case typ == unix.RTM_DELLINK:
			e.Kind = LinkGone
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(payload) < sizeAddr {
			return e, true, fmt.Errorf("%w: address of %d octets", ErrMalformed, len(payload))
		}
		// struct ifaddrmsg: family, prefixlen, flags, scope, index (4).
		e.Kind, e.Index = Touched, binary.NativeEndian.Uint32(payload[4:])
	default:
		return e, false, nil
	}
	return e, true, err
}

// decodeLink reads struct ifinfomsg and the attributes behind it.
func decodeLink(payload []byte) (l Link, err error) {
	if len(payload) < sizeLink {
		return l, fmt.Errorf("%w: link of %d octets", ErrMalformed, len(payload))
	}
	l.Index = binary.NativeEndian.Uint32(payload[4:])
	elsewhere := false
	err = eachAttr(payload[sizeLink:], func(typ uint16, data []byte) {
		switch typ {
		case unix.IFLA_IFNAME:
			l.Name = string(bytes.TrimRight(data, "\x00"))
		case unix.IFLA_LINK:
			l.Lower = number(data)
		case unix.IFLA_MASTER:
			l.Master = number(data)
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_LINKINFO:
			// Malformed information is none: there is nothing to be gained by it.
			_ = eachAttr(data, func(typ uint16, data []byte) {
				if typ == unix.IFLA_INFO_KIND {
					l.Kind = string(bytes.TrimRight(data, "\x00"))
				}
			})
		}
	})
	if elsewhere || l.Lower == l.Index {
		l.Lower = 0
	}
	return l, err
}

func number(data []byte) uint32 {
	if len(data) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(data)
}

func eachAttr(payload []byte, f func(typ uint16, data []byte)) error {
	for len(payload) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(payload))
		if size < unix.SizeofRtAttr || size > len(payload) {
			return fmt.Errorf("%w: attribute of length %d in %d octets", ErrMalformed, size, len(payload))
		}
		f(binary.NativeEndian.Uint16(payload[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), payload[unix.SizeofRtAttr:size])
		payload = payload[min(align(size), len(payload)):]
	}
	return nil
}
