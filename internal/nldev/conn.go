package nldev

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Conn asks the kernel about RDMA devices. Its methods may be called by any
// number of goroutines at once; one request is under way at a time. A context
// that ends interrupts a request.
type Conn struct {
	open func() (socket, error)

	mu     sync.Mutex
	sock   socket // nil after a request that was cut short, whose answers may still come
	closed bool
}

// socket is the part of [nl.NetlinkSocket] that is used. Recorded messages take
// its place in tests.
type socket interface {
	Send(*nl.NetlinkRequest) error
	Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error)
	Close()
}

// Dial opens a socket in the calling thread's network namespace, which decides
// what devices it sees. On a kernel without nldev, or with no RDMA core loaded,
// it returns [ErrUnavailable].
func Dial() (*Conn, error) {
	c := &Conn{open: openSocket}
	var err error
	if c.sock, err = c.open(); err != nil {
		return nil, err
	}
	return c, nil
}

func openSocket() (socket, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_RDMA)
	if err != nil {
		return nil, socketError(err)
	}
	// Kernels before 4.12 have no extended acknowledgements; their errors are bare then.
	_ = s.SetExtAck(true)
	return s, nil
}

func socketError(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("open RDMA netlink socket: %w", err)
}

// Close frees the socket. A request under way ends first.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.drop()
	return nil
}

func (c *Conn) drop() {
	if c.sock != nil {
		c.sock.Close()
		c.sock = nil
	}
}

// request is one question to the kernel.
type request struct {
	op     uint16
	dump   bool
	ack    bool   // it changes something: there is no answer but an acknowledgement
	object string // for errors: "#3"
	attrs  []*nl.RtAttr
}

func (r request) message() *nl.NetlinkRequest {
	flags := 0
	switch {
	case r.dump:
		flags = unix.NLM_F_DUMP
	case r.ack:
		flags = unix.NLM_F_ACK
	}
	m := nl.NewNetlinkRequest(clientNLDev<<nl.RDMA_NL_GET_CLIENT_SHIFT|int(r.op), flags)
	for _, a := range r.attrs {
		m.AddData(a)
	}
	return m
}

// maxDumps bounds how often a dump is begun anew because the list changed under it.
const maxDumps = 8

// ask sends a request and calls each with the payload of every answer. Where a
// dump was interrupted it starts over, after calling reset.
func (c *Conn) ask(ctx context.Context, r request, reset func(), each func(payload []byte) error) error {
	for range maxDumps {
		reset()
		interrupted, err := c.exchange(ctx, r, each)
		if err != nil || !interrupted {
			return err
		}
	}
	return fmt.Errorf("%s: %w", about(opName(r.op), r.object), ErrInterrupted)
}

func (c *Conn) exchange(ctx context.Context, r request, each func([]byte) error) (interrupted bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return false, err
	}
	sock := c.sock
	stop := context.AfterFunc(ctx, sock.Close)
	x := exchange{request: r, sock: sock, each: each}
	complete, err := x.run()
	// Once the context's end has closed the socket, or with answers still to
	// come, the next request needs a socket of its own.
	if !stop() || !complete {
		c.drop()
	}
	if !complete && ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", about(opName(r.op), r.object), context.Cause(ctx))
	}
	return x.interrupted, err
}

// ready makes sure that there is a socket without leftovers.
func (c *Conn) ready(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if c.closed {
		return ErrClosed
	}
	if c.sock == nil {
		c.sock, err = c.open()
	}
	return err
}
