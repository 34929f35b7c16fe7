package nldev

import (
	"errors"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Replay returns a Conn whose kernel is a function: it gets the operation of each
// request and returns datagrams as a kernel sent them. It is for tests and
// benchmarks of what stands on this package.
func Replay(answer func(op uint16) [][]byte) *Conn {
	return &Conn{open: func() (socket, error) { return &replayed{answer: answer}, nil }}
}

// replayed is the socket of a Conn that Replay made.
type replayed struct {
	answer  func(op uint16) [][]byte
	seq     uint32
	pending [][]byte
}

// Send notes the answers to come.
func (r *replayed) Send(m *nl.NetlinkRequest) error {
	const opMask = 1<<nl.RDMA_NL_GET_CLIENT_SHIFT - 1
	r.seq, r.pending = m.Seq, r.answer(m.Type&opMask)
	return nil
}

// Receive parses the next datagram anew, as it would come from the wire.
func (r *replayed) Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error) {
	if len(r.pending) == 0 {
		return nil, nil, errors.New("nothing more was recorded")
	}
	msgs, err := syscall.ParseNetlinkMessage(r.pending[0])
	r.pending = r.pending[1:]
	for i := range msgs {
		msgs[i].Header.Seq = r.seq
	}
	return msgs, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}, err
}

// Close implements socket.
func (r *replayed) Close() {}
