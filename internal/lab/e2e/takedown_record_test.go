package e2e

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
)

// TestRecordObjects prints, with -record, how the kernel lists the objects of a
// device that ibv_srq_pingpong waits on, for internal/nldev/testdata/recorded.
func TestRecordObjects(t *testing.T) {
	if !*record {
		t.Skip("records nothing without -record")
	}
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	waiting := exec.Command("ibv_srq_pingpong", "-d", "rxe0", "-g", "0", "-q", "2")
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { waiting.Process.Kill(); waiting.Wait() })
	waitFor(t, "ibv_srq_pingpong to wait", func() bool { return listening("18515") })
	fmt.Printf("record pid %d\n", waiting.Process.Pid)
	index := nl.NewRtAttr(1, nl.Uint32Attr(firstIndex(t)))
	recordAnswers(t, "res-get", 9, 0, []*nl.RtAttr{index})
	for name, op := range map[string]int{"res-ctx": 22, "res-pd": 14, "res-cq": 12, "res-mr": 13, "res-srq": 23} {
		recordAnswers(t, name, op, unix.NLM_F_DUMP, []*nl.RtAttr{index})
	}
	recordAnswers(t, "stat-mr-dump", 17, unix.NLM_F_DUMP, []*nl.RtAttr{index, nl.NewRtAttr(75, nl.Uint32Attr(40))})
	for name, q := range map[string]struct{ op, attr, number int }{ // soft RoCE has no raw records
		"raw-qp": {19, 21, 17}, "raw-cq": {20, 61, 1}, "raw-mr": {21, 62, 0}, "raw-srq": {25, 90, 0}, "raw-missing": {19, 21, 0xffff00},
	} {
		attrs := []*nl.RtAttr{index, nl.NewRtAttr(q.attr, nl.Uint32Attr(uint32(q.number)))}
		if q.op == 19 { // queue pairs belong to ports
			attrs = append(attrs, nl.NewRtAttr(3, nl.Uint32Attr(1)))
		}
		recordAnswers(t, name, q.op, 0, attrs)
	}
	recordAnswers(t, "dim-off", 2, unix.NLM_F_ACK, []*nl.RtAttr{index, nl.NewRtAttr(84, []byte{0})})
	recordAnswers(t, "rename-taken", 2, unix.NLM_F_ACK, []*nl.RtAttr{index, nl.NewRtAttr(2, nl.ZeroTerminated("rxe0"))})
	recordAnswers(t, "dellink-missing", 4, unix.NLM_F_ACK, []*nl.RtAttr{nl.NewRtAttr(1, nl.Uint32Attr(0x7ffffff0))})
}
