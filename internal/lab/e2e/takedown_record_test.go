package e2e

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

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
	time.Sleep(3 * time.Second) // until it has made all it makes
	fmt.Printf("record pid %d\n", waiting.Process.Pid)
	index := nl.NewRtAttr(1, nl.Uint32Attr(firstIndex(t)))
	recordAnswers(t, "res-get", 9, 0, []*nl.RtAttr{index})
	for name, op := range map[string]int{"res-ctx": 22, "res-pd": 14, "res-cq": 12, "res-mr": 13, "res-srq": 23} {
		recordAnswers(t, name, op, unix.NLM_F_DUMP, []*nl.RtAttr{index})
	}
	recordAnswers(t, "dim-off", 2, unix.NLM_F_ACK, []*nl.RtAttr{index, nl.NewRtAttr(84, []byte{0})})
	recordAnswers(t, "rename-taken", 2, unix.NLM_F_ACK, []*nl.RtAttr{index, nl.NewRtAttr(2, nl.ZeroTerminated("rxe0"))})
	recordAnswers(t, "dellink-missing", 4, unix.NLM_F_ACK, []*nl.RtAttr{nl.NewRtAttr(1, nl.Uint32Attr(0x7ffffff0))})
}
