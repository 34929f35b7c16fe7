package uevent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

var (
	// ErrLost says that the kernel dropped events (ENOBUFS): whoever follows
	// them must read everything anew.
	ErrLost = errors.New("events lost, resynchronise")
	// ErrClosed is returned by a closed Listener.
	ErrClosed = errors.New("uevent: closed")
)

// groupKernel is the multicast group of the kernel; udev repeats its events to another.
const groupKernel = 1

// maxMessage is more than the kernel sends: 2 KiB of variables (UEVENT_BUFFER_SIZE) and the header.
const maxMessage = 16 << 10

// Listener hears the events of one network namespace, that of the thread which
// called [Listen]. One goroutine may receive, any may close.
type Listener struct {
	file   *os.File
	closed atomic.Bool
	buf    [maxMessage]byte
}

// Listen subscribes to the kernel's events.
func Listen() (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("open uevent socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupKernel}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to uevents: %w", err)
	}
	return &Listener{file: os.NewFile(uintptr(fd), "uevent")}, nil
}

// Receive waits for the next event. Its errors: [ErrLost] when the kernel
// dropped some, [ErrMalformed] for a message that makes no sense, [ErrClosed].
// After the first two it may be called again. When ctx ends, the Listener is
// closed and the error is that of ctx.
func (l *Listener) Receive(ctx context.Context) (Event, error) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		n, kernel, err := l.read()
		switch {
		case err == nil && kernel:
			return decode(l.buf[:n])
		case err == nil:
			continue // not the kernel's: a process may write to the group too
		case ctx.Err() != nil:
			return Event{}, context.Cause(ctx)
		case l.closed.Load():
			return Event{}, ErrClosed
		case errors.Is(err, unix.ENOBUFS):
			return Event{}, fmt.Errorf("%w: %w", ErrLost, err)
		}
		return Event{}, fmt.Errorf("receive uevents: %w", err)
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
		n, from, recvErr = unix.Recvfrom(int(fd), l.buf[:], 0)
		return recvErr != unix.EAGAIN && recvErr != unix.EINTR
	})
	if err = errors.Join(err, recvErr); err != nil {
		return 0, false, err
	}
	sender, ok := from.(*unix.SockaddrNetlink)
	return n, ok && sender.Pid == 0 && sender.Groups == groupKernel, nil
}

// Close ends the subscription and a Receive that waits.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.file.Close()
}
