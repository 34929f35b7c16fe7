package e2e

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
)

var record = flag.Bool("record", false, "print this kernel's RDMA netlink messages, for internal/nldev/testdata/recorded")

// TestRecordNLDev prints, with -record, what the kernel answers to the requests
// that internal/nldev makes: a line for each datagram, "record NAME HEX".
func TestRecordNLDev(t *testing.T) {
	if !*record {
		t.Skip("records nothing without -record")
	}
	events := rdmaSocket(t, 1<<3) // RDMA_NL_GROUP_NOTIFY
	lab.Topology{
		Namespaces: []string{"blue"},
		Links: []lab.Link{
			{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}, {Name: "eth2", Kind: lab.Dummy{}, Down: true},
			{Name: "blue0", Kind: lab.Dummy{}, Netns: "blue"},
		},
		HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}, {Name: "rxe2", Netdev: "eth2"}, {Name: "rxe3", Netdev: "blue0"}},
	}.Up(t)
	index := nl.NewRtAttr(1, nl.Uint32Attr(firstIndex(t)))
	port := nl.NewRtAttr(3, nl.Uint32Attr(1))
	missing := nl.NewRtAttr(1, nl.Uint32Attr(0x7ffffff0))
	client := func(name string) *nl.RtAttr { return nl.NewRtAttr(69, nl.ZeroTerminated(name)) }
	for _, q := range []struct {
		name  string
		op    int
		flags int
		attrs []*nl.RtAttr
	}{
		{"get-dump", 1, unix.NLM_F_DUMP, nil},
		{"get-one", 1, 0, []*nl.RtAttr{index}},
		{"get-missing", 1, 0, []*nl.RtAttr{missing}},
		{"port-dump", 5, unix.NLM_F_DUMP, []*nl.RtAttr{index}},
		{"port-missing", 5, unix.NLM_F_DUMP, []*nl.RtAttr{missing}},
		{"sys-get", 6, 0, nil},
		{"chardev-uverbs", 15, 0, []*nl.RtAttr{client("uverbs"), index}},
		{"chardev-cm", 15, 0, []*nl.RtAttr{client("rdma_cm")}},
		{"chardev-missing", 15, 0, []*nl.RtAttr{client("nonesuch")}},
		{"stat-get", 17, 0, []*nl.RtAttr{index, port}},
		{"stat-mode", 17, 0, []*nl.RtAttr{index, port, nl.NewRtAttr(75, nl.Uint32Attr(19)), nl.NewRtAttr(74, nl.Uint32Attr(0))}},
		{"stat-qp-dump", 17, unix.NLM_F_DUMP, []*nl.RtAttr{index, nl.NewRtAttr(75, nl.Uint32Attr(19))}},
		{"stat-status", 24, 0, []*nl.RtAttr{index, port}},
		{"bad-attribute", 1, 0, []*nl.RtAttr{nl.NewRtAttr(1, []byte{1})}},
		{"bad-operation", 1000, 0, nil},
	} {
		recordAnswers(t, q.name, q.op, q.flags, q.attrs)
	}
	for _, command := range []string{"rdma dev set rxe0 name hca0", "ip link set eth1 name eth9", "rdma link del rxe2", "ip link set eth9 netns blue"} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Logf("%s: %v\n%s", command, err, out)
		}
	}
	recordEvents(events)
}

func rdmaSocket(t *testing.T, groups uint32) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_RDMA)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// firstIndex is the index of the first device: a message's first attribute.
func firstIndex(t *testing.T) uint32 {
	fd := rdmaSocket(t, 0)
	m := nl.NewNetlinkRequest(5<<10|1, unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, m.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	if n, err := unix.Read(fd, buf); err != nil || n < 24 {
		t.Fatal(n, err)
	}
	return binary.NativeEndian.Uint32(buf[20:])
}

func recordAnswers(t *testing.T, name string, op, flags int, attrs []*nl.RtAttr) {
	fd := rdmaSocket(t, 0)
	m := nl.NewNetlinkRequest(5<<10|op, flags)
	for _, a := range attrs {
		m.AddData(a)
	}
	if err := unix.Sendto(fd, m.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("record %s %s\n", name, hex.EncodeToString(buf[:n]))
		if typ := binary.NativeEndian.Uint16(buf[4:]); flags == 0 || typ == unix.NLMSG_DONE || typ == unix.NLMSG_ERROR {
			return
		}
	}
}

func recordEvents(fd int) {
	buf := make([]byte, 65536)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		fmt.Printf("record event %s\n", hex.EncodeToString(buf[:n]))
	}
}
