package rtlink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

var (
	// ErrLost says that the kernel dropped messages (ENOBUFS): whoever follows them
	// must look at everything anew.
	ErrLost = errors.New("messages about links lost, resynchronise")
	// ErrClosed is returned by a closed Listener.
	ErrClosed = errors.New("rtlink: closed")
)

// maxDatagram is how much the kernel puts into one at most, with room to spare: a
// link with many virtual functions takes the most.
const maxDatagram = 64 << 10

// Listener hears of the links of one network namespace, that of the thread which
// called [Listen].
type Listener struct {
	file   *os.File
	closed atomic.Bool
	buf    []byte
}

// Listen subscribes.
func Listen() (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to links: %w", err)
	}
	return &Listener{file: os.NewFile(uintptr(fd), "rtnetlink"), buf: make([]byte, maxDatagram)}, nil
}

// Receive waits for a datagram and returns the indexes of the links that it is
// about. Its errors: [ErrLost] when the kernel dropped some, or sent what makes no
// sense; after that it may be called again. [ErrClosed]. When ctx ends, the
// Listener is closed and the error is that of ctx.
func (l *Listener) Receive(ctx context.Context) ([]uint32, error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		n, kernel, err := l.read()
		switch {
		case err == nil && kernel:
			if links, err := decode(l.buf[:n]); links != nil || err != nil {
				return links, err
			}
		case err == nil: // not the kernel's: a process may write to the group too
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case l.closed.Load():
			return nil, ErrClosed
		case errors.Is(err, unix.ENOBUFS):
			return nil, fmt.Errorf("%w: %w", ErrLost, err)
		default:
			return nil, fmt.Errorf("receive messages about links: %w", err)
		}
	}
}

// read receives one datagram and tells whether the kernel sent it.
func (l *Listener) read() (n int, kernel bool, err error) {
	conn, err := l.file.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var from unix.Sockaddr
	var recvErr error
	err = conn.Read(func(fd uintptr) bool {
		n, from, recvErr = unix.Recvfrom(int(fd), l.buf, 0)
		return recvErr != unix.EAGAIN && recvErr != unix.EINTR
	})
	if err = errors.Join(err, recvErr); err != nil {
		return 0, false, err
	}
	sender, ok := from.(*unix.SockaddrNetlink)
	return n, ok && sender.Pid == 0, nil
}

// Close ends the subscription and a Receive that waits.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.file.Close()
}

// decode returns the indexes of the links that the messages are about: each has a
// struct nlmsghdr and, if it is about a link, a struct ifinfomsg
// (include/uapi/linux/netlink.h, rtnetlink.h).
func decode(b []byte) (links []uint32, err error) {
	const indexAt = unix.SizeofNlMsghdr + 4
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return links, fmt.Errorf("%w: %d octets are no message", ErrLost, len(b))
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return links, fmt.Errorf("%w: a message of %d octets in %d", ErrLost, size, len(b))
		}
		switch kind := binary.NativeEndian.Uint16(b[4:]); {
		case kind != unix.RTM_NEWLINK && kind != unix.RTM_DELLINK:
		case size < unix.SizeofNlMsghdr+unix.SizeofIfInfomsg:
			return links, fmt.Errorf("%w: a link in %d octets", ErrLost, size)
		default:
			links = append(links, binary.NativeEndian.Uint32(b[indexAt:]))
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return links, nil
}
