package rtevent

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// message writes a netlink message.
func message(typ uint16, payload []byte) []byte {
	b := make([]byte, sizeHeader, align(sizeHeader+len(payload)))
	binary.NativeEndian.PutUint32(b, uint32(sizeHeader+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	b = append(b, payload...)
	return b[:cap(b)]
}

// link writes struct ifinfomsg with attributes, each type and data.
func link(index uint32, attrs ...[]byte) []byte {
	b := make([]byte, sizeLink)
	binary.NativeEndian.PutUint32(b[4:], index)
	for _, a := range attrs {
		b = append(b, a...)
	}
	return b
}

func attr(typ uint16, data []byte) []byte {
	b := make([]byte, unix.SizeofRtAttr, align(unix.SizeofRtAttr+len(data)))
	binary.NativeEndian.PutUint16(b, uint16(unix.SizeofRtAttr+len(data)))
	binary.NativeEndian.PutUint16(b[2:], typ)
	b = append(b, data...)
	return b[:cap(b)]
}

func u32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func address(index uint32) []byte {
	b := make([]byte, sizeAddr)
	binary.NativeEndian.PutUint32(b[4:], index)
	return b
}

func TestDecode(t *testing.T) {
	vlan := link(7, attr(unix.IFLA_IFNAME, []byte("eth0.7\x00")), attr(unix.IFLA_LINK, u32(3)), attr(unix.IFLA_MASTER, u32(9)),
		attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, []byte("vlan\x00"))))
	moved := link(8, attr(unix.IFLA_LINK, u32(3)), attr(unix.IFLA_LINK_NETNSID, u32(0)))
	datagram := message(unix.RTM_NEWLINK, vlan)
	datagram = append(datagram, message(unix.RTM_NEWROUTE, nil)...)
	datagram = append(datagram, message(unix.RTM_DELLINK, moved)...)
	datagram = append(datagram, message(unix.RTM_NEWADDR, address(3))...)
	datagram = append(datagram, message(unix.RTM_DELADDR, address(4))...)
	port := link(7, attr(unix.IFLA_IFNAME, []byte("eth0.7\x00")))
	port[0] = unix.AF_BRIDGE
	datagram = append(datagram, message(unix.RTM_DELLINK, port)...) // left a bridge, and is there still
	want := []Event{
		{Kind: LinkSet, Index: 7, Link: Link{7, "eth0.7", 3, "vlan", 9}},
		{Kind: LinkGone, Index: 8, Link: Link{Index: 8}},
		{Kind: Touched, Index: 3}, {Kind: Touched, Index: 4}, {Kind: Touched, Index: 7},
	}
	got, err := decode(datagram)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}

// A message that makes no sense does not hide the others.
func TestDecodeMalformed(t *testing.T) {
	datagram := append(message(unix.RTM_NEWLINK, []byte{1, 2}), message(unix.RTM_NEWADDR, address(3))...)
	if got, err := decode(datagram); !errors.Is(err, ErrMalformed) || len(got) != 1 || got[0].Index != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, b := range [][]byte{
		message(unix.RTM_NEWADDR, []byte{1}),
		message(unix.RTM_NEWLINK, link(1, []byte{200, 0, 3, 0})),
		append(u32(400), make([]byte, 20)...),
	} {
		if got, err := decode(b); !errors.Is(err, ErrMalformed) || len(got) != 0 {
			t.Errorf("%x: %+v, %v", b, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(message(unix.RTM_NEWLINK, link(7, attr(unix.IFLA_LINK, u32(3)))))
	f.Add(message(unix.RTM_DELADDR, address(4)))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = decode(b) })
}

func TestElsewhere(t *testing.T) {
	cmsg := make([]byte, unix.CmsgSpace(4))
	binary.NativeEndian.PutUint64(cmsg, uint64(unix.CmsgLen(4)))
	binary.NativeEndian.PutUint32(cmsg[8:], unix.SOL_NETLINK)
	binary.NativeEndian.PutUint32(cmsg[12:], unix.NETLINK_LISTEN_ALL_NSID)
	if !isElsewhere(cmsg) {
		t.Error("namespace 0 is one's own")
	}
	if isElsewhere(nil) {
		t.Error("no id is elsewhere")
	}
}

// Listing and listening change nothing; every host has a loopback.
func TestLive(t *testing.T) {
	links, err := Links()
	if err != nil {
		t.Fatal(err)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range links {
		found = found || l == Link{Index: uint32(lo.Index), Name: "lo"}
	}
	if !found {
		t.Errorf("no lo in %+v", links)
	}
	for _, scope := range []Scope{OwnLinks, Everything} {
		l, err := Listen(scope)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		for err == nil {
			_, err = l.Receive(ctx) // events of others may come
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := l.Receive(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}
