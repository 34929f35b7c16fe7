package nldev

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Monitor hears the kernel's events about RDMA devices of one network namespace
// (RDMA_NL_GROUP_NOTIFY). One goroutine may receive while others close it.
type Monitor struct {
	sock   socket
	closed atomic.Bool
}

// Monitor subscribes to the kernel's events. Where the kernel has none it
// returns an [UnsupportedError]; SYS_GET tells, for the subscription itself
// succeeds everywhere.
func (c *Conn) Monitor(ctx context.Context) (*Monitor, error) {
	s, err := c.System(ctx)
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return nil, err
	}
	if !s.Monitor.Or(false) {
		return nil, &UnsupportedError{Feature: "the RDMA monitor group", Since: "6.12", Cause: err}
	}
	sock, err := nl.Subscribe(unix.NETLINK_RDMA, groupNotify)
	if err != nil {
		return nil, fmt.Errorf("subscribe to RDMA events: %w", err)
	}
	return &Monitor{sock: sock}, nil
}

// Receive waits for events and returns those of one datagram. Its errors:
// [ErrLost] when the kernel dropped some, [ErrMalformed] for one that makes no
// sense (the others of the datagram are returned beside it), [ErrClosed]. After
// the first two it may be called again. When ctx ends, the Monitor is closed
// and the error is that of ctx.
func (m *Monitor) Receive(ctx context.Context) ([]Event, error) {
	stop := context.AfterFunc(ctx, func() { m.Close() })
	defer stop()
	for {
		msgs, from, err := m.sock.Receive()
		if err != nil {
			return nil, m.receiveError(ctx, err)
		}
		if from.Pid != nl.PidKernel {
			continue
		}
		if events, err := decodeEvents(msgs); events != nil || err != nil {
			return events, err
		}
	}
}

func decodeEvents(msgs []syscall.NetlinkMessage) (events []Event, bad error) {
	for _, m := range msgs {
		if m.Header.Type != clientNLDev<<nl.RDMA_NL_GET_CLIENT_SHIFT|cmdMonitor {
			continue
		}
		if e, err := decodeEvent(m.Data); err != nil {
			bad = errors.Join(bad, err)
		} else {
			events = append(events, e)
		}
	}
	return events, bad
}

func (m *Monitor) receiveError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case m.closed.Load():
		return ErrClosed
	case errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return fmt.Errorf("receive RDMA events: %w", err)
}

// Close ends the subscription and a Receive that waits.
func (m *Monitor) Close() error {
	if !m.closed.Swap(true) {
		m.sock.Close()
	}
	return nil
}
