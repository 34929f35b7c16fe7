package nldev

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// exchange is one request and its answers.
type exchange struct {
	request
	sock        socket
	each        func(payload []byte) error
	seq         uint32
	interrupted bool  // NLM_F_DUMP_INTR was seen
	bad         error // what each said of answers that it could not use
}

// run returns whether the kernel's last answer has been read; err may be set
// then too.
func (x *exchange) run() (complete bool, err error) {
	m := x.message()
	x.seq = m.Seq
	if err := x.sock.Send(m); err != nil {
		return false, x.fail("send", err)
	}
	for !complete && err == nil {
		complete, err = x.receive()
	}
	return complete, errors.Join(err, x.bad)
}

// receive reads one datagram, which may hold several answers.
func (x *exchange) receive() (last bool, err error) {
	msgs, from, err := x.sock.Receive()
	if err != nil {
		return false, x.fail("receive", err)
	}
	if from.Pid != nl.PidKernel {
		return false, nil // another process may write to our port; only the kernel counts
	}
	for _, m := range msgs {
		if m.Header.Seq != x.seq {
			continue
		}
		if last, err = x.answer(m); last || err != nil {
			return last, err
		}
	}
	return false, nil
}

func (x *exchange) answer(m syscall.NetlinkMessage) (last bool, err error) {
	if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 {
		x.interrupted = true
	}
	switch m.Header.Type {
	case unix.NLMSG_NOOP:
		return false, nil
	case unix.NLMSG_OVERRUN:
		return false, x.fail("receive", ErrMalformed)
	case unix.NLMSG_DONE:
		return x.end(decodeDone(m))
	case unix.NLMSG_ERROR:
		return x.end(decodeError(m))
	}
	if err := x.each(m.Data); err != nil {
		// One answer that makes no sense does not hide the others.
		x.bad = errors.Join(x.bad, x.fail("decode", err))
	}
	return m.Header.Flags&unix.NLM_F_MULTI == 0 && !x.dump, nil
}

func (x *exchange) end(r refusal, err error) (last bool, _ error) {
	if err != nil {
		return false, x.fail("decode", err)
	}
	if r.errno != 0 {
		return true, &Error{Op: opName(x.op), Object: x.object, Errno: r.errno, Message: r.message}
	}
	return true, nil
}

func (x *exchange) fail(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", about(opName(x.op), x.object), what, err)
}
