package nldev

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// kernels are those of which testdata/recorded has messages.
var kernels = []string{"6.1", "6.12", "7.x"}

// datagrams returns what a kernel answered to the request of that name.
func datagrams(t testing.TB, kernel, name string) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/recorded/" + kernel + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var found [][]byte
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, data, _ := strings.Cut(lines.Text(), " ")
		if key != name {
			continue
		}
		raw, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, raw)
	}
	return found
}

// payloads returns the attributes of the recorded answers, without those that end a dump.
func payloads(t testing.TB, kernel, name string) [][]byte {
	t.Helper()
	var found [][]byte
	for _, raw := range datagrams(t, kernel, name) {
		msgs, err := syscall.ParseNetlinkMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			if m.Header.Type >= unix.NLMSG_MIN_TYPE {
				found = append(found, m.Data)
			}
		}
	}
	return found
}

// twice answers two requests alike, as a list of devices must be to count.
func twice(answer [][]byte) *Conn { return conn(&script{answers: [][][]byte{answer, answer}}) }

// script is a socket that answers with recorded datagrams: one list for each
// request, in turn. What is on the wire goes through the real parser.
type script struct {
	answers [][][]byte
	pending [][]byte
	sent    []*nl.NetlinkRequest
	from    uint32 // the sender's port
	seq     uint32 // overrides the request's sequence number
	err     error  // at the end of the answers
	closed  bool
}

func (s *script) Send(r *nl.NetlinkRequest) error {
	s.sent = append(s.sent, r)
	if len(s.answers) > 0 {
		s.pending, s.answers = append(s.pending, s.answers[0]...), s.answers[1:]
	}
	return nil
}

func (s *script) Receive() ([]syscall.NetlinkMessage, *unix.SockaddrNetlink, error) {
	if len(s.pending) == 0 {
		if s.err == nil {
			return nil, nil, errors.New("the script has no more answers")
		}
		return nil, nil, s.err
	}
	raw := slices.Clone(s.pending[0])
	s.pending = s.pending[1:]
	msgs, err := syscall.ParseNetlinkMessage(raw)
	for i := range msgs {
		if msgs[i].Header.Seq = s.seq; s.seq == 0 && len(s.sent) > 0 {
			msgs[i].Header.Seq = s.sent[len(s.sent)-1].Seq
		}
	}
	return msgs, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: s.from}, err
}

func (s *script) Close() { s.closed = true }

// conn returns a Conn whose successive sockets are those scripts.
func conn(scripts ...*script) *Conn {
	return &Conn{open: func() (socket, error) {
		if len(scripts) == 0 {
			return nil, errors.New("no more sockets")
		}
		next := scripts[0]
		scripts = scripts[1:]
		return next, nil
	}}
}

// replay returns a Conn for which the kernel answers as it did to the request of that name.
func replay(t testing.TB, kernel, name string) *Conn {
	t.Helper()
	return conn(&script{answers: [][][]byte{datagrams(t, kernel, name)}})
}

// message makes a datagram of one message.
func message(typ, flags uint16, payload []byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(payload))
	binary.NativeEndian.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], flags)
	return append(b, payload...)
}

// attributes makes a payload of them.
func attributes(attrs ...*nl.RtAttr) []byte {
	var b []byte
	for _, a := range attrs {
		b = append(b, a.Serialize()...)
	}
	return b
}
