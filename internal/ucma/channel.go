package ucma

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DevicePath is the connection manager's device. Its mode is 0666: everyone may
// open it.
const DevicePath = "/dev/infiniband/rdma_cm"

// Channel is an open connection manager device with its ids and their events.
// See the package comment for who may call what at the same time.
type Channel struct {
	file   *os.File
	raw    syscall.RawConn
	uids   atomic.Uint64
	closed atomic.Bool
}

// Open opens the device. The error is [ErrUnavailable] where the kernel has no
// connection manager for user space.
func Open() (*Channel, error) {
	// Non-blocking, so that it goes into the runtime's poller: a read(2) that
	// waits in the kernel would not be woken by close(2).
	file, err := os.OpenFile(DevicePath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &Error{Op: opOpen, Object: DevicePath, Err: errors.Unwrap(err)}
	}
	c, err := newChannel(file)
	if err != nil {
		file.Close()
		return nil, &Error{Op: opOpen, Object: DevicePath, Err: err}
	}
	return c, nil
}

func newChannel(file *os.File) (*Channel, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Channel{file: file, raw: raw}, nil
}

// Close destroys all ids of the channel, withdraws pending connects and rejects
// unanswered requests; when it returns, the kernel has done so. A NextEvent under
// way returns with an error that is os.ErrClosed.
func (c *Channel) Close() error {
	c.closed.Store(true)
	return c.file.Close()
}

// settle joins the errors of a call on the raw file and of the command in it. A
// raw file says that it is closed by an error of the runtime's own, unlike the
// file itself.
func (c *Channel) settle(raw, command error) error {
	if raw != nil && c.closed.Load() {
		return os.ErrClosed
	}
	if raw != nil {
		return raw
	}
	return command
}

// NextEvent waits for an event and takes it from the queue. The error is ctx's
// when that ends first; no event is lost by it. One goroutine at a time.
func (c *Channel) NextEvent(ctx context.Context) (Event, error) {
	if err := ctx.Err(); err != nil {
		return Event{}, err
	}
	release, err := c.wakeWhenDone(ctx)
	if err != nil {
		return Event{}, &Error{Op: opNextEvent, Err: err}
	}
	response, err := c.waitForEvent()
	release()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Event{}, ctx.Err()
	}
	if err != nil {
		return Event{}, &Error{Op: opNextEvent, Err: err}
	}
	e, err := parseEvent(response)
	if err != nil {
		return Event{}, &Error{Op: opNextEvent, Err: err}
	}
	return e, nil
}

// wakeWhenDone makes reads fail with os.ErrDeadlineExceeded as soon as ctx ends,
// until release is called, which waits for whatever ctx's end has started.
func (c *Channel) wakeWhenDone(ctx context.Context) (release func(), err error) {
	if err := c.file.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		c.file.SetReadDeadline(time.Unix(1, 0)) // fails only once the file is closed
	})
	return func() {
		if !stop() {
			<-woken
		}
	}, nil
}

// waitForEvent issues GET_EVENT whenever the poller says that there is an event.
func (c *Channel) waitForEvent() ([]byte, error) {
	r := encodeGetEvent()
	var errno error
	err := c.raw.Read(func(fd uintptr) bool {
		errno = r.write(int(fd))
		return errno != unix.EAGAIN
	})
	return r.response, c.settle(err, errno)
}

// do carries out a command that does not wait.
func (c *Channel) do(op, object string, r request) ([]byte, error) {
	var errno error
	err := c.raw.Control(func(fd uintptr) { errno = r.write(int(fd)) })
	if err := c.settle(err, errno); err != nil {
		return nil, &Error{Op: op, Object: object, Err: err}
	}
	return r.response, nil
}

// write hands the request to the kernel, which fills r.response before it
// returns.
func (r request) write(fd int) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	var response uint64
	if r.response != nil {
		response = pinned(&pin, r.response)
	}
	msg := r.message(response)
	n, err := unix.Write(fd, msg)
	if err != nil {
		return err
	}
	if n != len(msg) {
		return fmt.Errorf("kernel took %d of %d octets", n, len(msg))
	}
	return nil
}

// pinned keeps b where it is until pin is released and returns its address: the
// kernel writes there while the garbage collector sees a number.
func pinned(pin *runtime.Pinner, b []byte) uint64 {
	p := unsafe.SliceData(b)
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}
