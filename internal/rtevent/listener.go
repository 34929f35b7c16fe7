package rtevent

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
	// ErrLost says that the kernel dropped events (ENOBUFS): whoever follows them
	// must read everything anew.
	ErrLost = errors.New("events lost, resynchronise")
	// ErrClosed is returned by a closed Listener.
	ErrClosed = errors.New("rtevent: closed")
)

// bufferSize holds some thousand events: a script that adds addresses is faster
// than a reader that gets no turn.
const bufferSize = 4 << 20

// maxMessage is what the kernel puts into one datagram at most (NLMSG_GOODSIZE and
// more for links with many virtual functions).
const maxMessage = 64 << 10

// Scope is what a [Listener] hears of.
type Scope uint8

// The scopes.
const (
	// OwnLinks are the interfaces of the calling thread's namespace.
	OwnLinks Scope = iota
	// Everything are interfaces and their addresses, of other namespaces too as far as
	// this one has a name for them and the caller CAP_NET_BROADCAST.
	Everything
)

// Listener hears events. One goroutine may receive, any may close.
type Listener struct {
	file   *os.File
	closed atomic.Bool
	buf    [maxMessage]byte
	oob    [64]byte
}

// Listen subscribes to events of the calling thread's namespace.
func Listen(scope Scope) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	// Without privileges the buffer is as large as net.core.rmem_max allows, and the
	// other namespaces stay unheard.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bufferSize)
	}
	if err := subscribe(fd, scope); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to rtnetlink events: %w", err)
	}
	return &Listener{file: os.NewFile(uintptr(fd), "rtnetlink")}, nil
}

func subscribe(fd int, scope Scope) error {
	groups := []int{unix.RTNLGRP_LINK}
	if scope == Everything {
		groups = append(groups, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for _, group := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return err
		}
	}
	return nil
}

// Receive waits for events and returns those of one datagram. Its errors: [ErrLost]
// when the kernel dropped some, [ErrMalformed] for one that makes no sense (the
// others of the datagram are returned beside it), [ErrClosed]. After the first two
// it may be called again. When ctx ends, the Listener is closed and the error is
// that of ctx.
func (l *Listener) Receive(ctx context.Context) ([]Event, error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		n, elsewhere, kernel, err := l.read()
		switch {
		case err == nil && !kernel:
			continue
		case err == nil:
			events, err := decode(l.buf[:n])
			for i := range events {
				events[i].Elsewhere = elsewhere
			}
			if len(events) > 0 || err != nil {
				return events, err
			}
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case l.closed.Load():
			return nil, ErrClosed
		case errors.Is(err, unix.ENOBUFS):
			return nil, fmt.Errorf("%w: %w", ErrLost, err)
		default:
			return nil, fmt.Errorf("receive rtnetlink events: %w", err)
		}
	}
}

// read receives one datagram and tells whether it is the kernel's, and of another
// namespace.
func (l *Listener) read() (n int, elsewhere, kernel bool, err error) {
	conn, err := l.file.SyscallConn()
	if err != nil {
		return 0, false, false, err
	}
	var oobn, flags int
	var from unix.Sockaddr
	var recvErr error
	err = conn.Read(func(fd uintptr) bool {
		n, oobn, flags, from, recvErr = unix.Recvmsg(int(fd), l.buf[:], l.oob[:], 0)
		return recvErr != unix.EAGAIN && recvErr != unix.EINTR
	})
	if err = errors.Join(err, recvErr); err != nil {
		return 0, false, false, err
	}
	if flags&unix.MSG_TRUNC != 0 {
		return 0, false, false, fmt.Errorf("a datagram of more than %d octets: %w", maxMessage, unix.ENOBUFS)
	}
	sender, ok := from.(*unix.SockaddrNetlink)
	return n, isElsewhere(l.oob[:oobn]), ok && sender.Pid == 0, nil
}

// isElsewhere looks for the id of another namespace, which the kernel adds for
// those alone (net/netlink/af_netlink.c, netlink_cmsg_listen_all_nsid).
func isElsewhere(oob []byte) bool {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(m.Data) >= 4 {
			return int32(binary.NativeEndian.Uint32(m.Data)) >= 0
		}
	}
	return false
}

// Close ends the subscription and a Receive that waits.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.file.Close()
}
