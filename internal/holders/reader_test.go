package holders

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/procfs"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// envChild makes this test binary a process that waits, with what it inherited
// and without.
const envChild = "HOLDERS_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "":
		os.Exit(m.Run())
	case "open":
		f, err := os.OpenFile("/dev/zero", os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer f.Close()
	}
	os.Stdout.WriteString("ready\n") //nolint:errcheck // the parent would notice
	os.Stdin.Read(make([]byte, 1))   //nolint:errcheck // it ends when the parent closes it
}

// child starts such a process and returns its pid when it is ready.
func child(t *testing.T, how string, inherit ...*os.File) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+how)
	cmd.ExtraFiles = inherit
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// zeroAsVerbs is a tree in which the verbs device of hca0 has the number of
// /dev/zero: what the kernel says of that is then said of uverbs0.
func zeroAsVerbs(t *testing.T, more sysfstest.Tree) *sysfs.FS {
	t.Helper()
	root := sysfstest.Join(sysfstest.Tree{
		"class/infiniband_verbs/uverbs0/ibdev": "hca0\n",
		"class/infiniband_verbs/uverbs0/dev":   "1:5\n",
		"class/infiniband_mad/umad0/ibdev":     "other\n",
		"class/infiniband_mad/umad0/dev":       "1:3\n",
	}, more).Write(t)
	fs, err := sysfs.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

func report(t *testing.T, sys *sysfs.FS, proc procfs.FS) Report {
	t.Helper()
	hca := []rdma.Device{{Name: "hca0", Driver: "rxe", Ports: []rdma.Port{{Number: 1, Netdev: "eth0"}}}}
	reports, _, err := NewReader(proc, sys, nil).Report(t.Context(), hca, hca, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reports[0]
}

func find(holders []Holder, pid int) (Holder, bool) {
	i := slices.IndexFunc(holders, func(h Holder) bool { return h.PID == rdma.Known(pid) })
	if i < 0 {
		return Holder{}, false
	}
	return holders[i], true
}

// TestLiveProcesses lets the kernel tell who has a device open, and which of two
// processes inherited it.
func TestLiveProcesses(t *testing.T) {
	opener, bystander := child(t, "open"), child(t, "wait")
	own, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	heir := child(t, "wait", own)

	r := report(t, zeroAsVerbs(t, nil), procfs.Live())
	h, ok := find(r.Holders, opener)
	if !ok || !h.Waits || len(h.Descriptors) != 1 || h.Descriptors[0].Name != "uverbs0" || h.User == "" || h.Started == 0 {
		t.Errorf("who opened it: %+v", h)
	}
	if h, ok := find(r.Holders, heir); !ok || h.Descriptors[0].FD != rdma.Known(3) {
		t.Errorf("who inherited it: %+v", h)
	}
	if h, ok := find(r.Holders, bystander); ok {
		t.Errorf("a bystander: %+v", h)
	}
	if h, ok := find(r.Holders, os.Getpid()); ok {
		t.Errorf("the asker: %+v", h)
	}
}

// TestCopiedProc reads the same from a tree, where only names tell.
func TestCopiedProc(t *testing.T) {
	stat := "7 (bw) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0 0\n"
	root := sysfstest.Tree{
		"7/stat": stat, "7/status": "Uid: 4294967294 4294967294 4294967294 4294967294\n", "7/cmdline": "bw\x00", "7/cgroup": "0::/system.slice/bw.service\n",
		"7/fd/3": "-> /dev/infiniband/uverbs0", "7/fd/4": "-> /somewhere/uverbs0", "7/fd/5": "-> socket:[1]",
		"8/stat": strings.Replace(stat, "7", "8", 1), "8/fd/": "", "8/status": "Uid: 0 0 0 0\n", "8/cmdline": "",
		"self/ns/pid": "-> pid:[4026531836]", "1/stat": stat, "1/fd/": "",
	}.Write(t)
	sys := zeroAsVerbs(t, sysfstest.Tree{
		"module/rdma_rxe/refcnt": "3\n", "module/rdma_rxe/holders/": "",
		"class/net/eth0/master": "-> ../bond0", "class/net/bond0/bonding/mode": "x",
	})
	r := report(t, sys, procfs.Open(root))
	h, ok := find(r.Holders, 7)
	if !ok || h.Name != "bw" || h.Unit != "bw.service" || h.User != "" || len(h.Descriptors) != 1 || h.Descriptors[0].Inherited.IsKnown() {
		t.Errorf("%+v", h)
	}
	if len(r.Unseen) != 0 {
		t.Errorf("unseen: %v", r.Unseen)
	}
	if !slices.ContainsFunc(r.Holders, func(h Holder) bool { return h.Name == "bonding" }) {
		t.Errorf("no bond: %+v", r.Holders)
	}
}

// TestReferences: of three references, one descriptor explains one; and a module
// that can disassociate has none that mean anything.
func TestReferences(t *testing.T) {
	s := &scan{
		open:    map[string][]OpenFile{"hca0": {open(7, 3, "uverbs0", 1), open(8, 3, "uverbs0", 1), open(8, 4, "umad0", 2)}},
		drivers: map[string]string{"hca0": "siw"},
		modules: map[string]Driver{"siw": waiting, "mlx5_ib": taking, "new": {Module: "new"}},
	}
	s.judgeReferences(map[string]int{"siw": 3, "mlx5_ib": 9, "new": 9}, map[string]int{"siw": 4, "mlx5_ib": 9, "new": 9})
	for module, want := range map[string]rdma.Opt[int]{"siw": rdma.Known(2), "mlx5_ib": {}, "new": {}} {
		if got := s.modules[module].Unaccounted; got != want {
			t.Errorf("%s: %v, want %v", module, got, want)
		}
	}
}

// TestReadingTwice: nothing of a report is left in the next.
func TestReadingTwice(t *testing.T) {
	sys := zeroAsVerbs(t, nil)
	pid := child(t, "open")
	before := report(t, sys, procfs.Live())
	if _, ok := find(before.Holders, pid); !ok {
		t.Fatal("the child is not found")
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r := report(t, sys, procfs.Live())
		if _, ok := find(r.Holders, pid); !ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a killed child still counts")
		}
	}
}
