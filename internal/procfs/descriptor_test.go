package procfs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

func everything(string) bool { return true }

func TestDescriptors(t *testing.T) {
	f := tree(t, map[string]string{
		"7/fd/0":  "-> /dev/null",
		"7/fd/10": "-> /dev/infiniband/uverbs0 (deleted)",
		"7/fd/3":  "-> socket:[1234]",
		"7/fd/4":  "-> /dev/infiniband/umad0",
	})
	all, err := f.Descriptors(7, func(path string) bool { return strings.HasPrefix(path, "/dev/") })
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	if d := all[0]; d.FD != 0 || d.Dev != rdma.Known(unix.Mkdev(1, 3)) || d.Deleted() || d.Name() != "null" {
		t.Errorf("%+v", d)
	}
	if d := all[1]; d.FD != 4 || d.Dev.IsKnown() || d.Name() != "umad0" {
		t.Errorf("%+v", d)
	}
	if d := all[2]; d.FD != 10 || !d.Deleted() || d.Name() != "uverbs0" {
		t.Errorf("%+v", d)
	}
}

// A first thread that has ended has no descriptors, and its siblings have.
func TestDescriptorsOfThreads(t *testing.T) {
	f := tree(t, map[string]string{
		"7/stat":           statLine, // three threads
		"7/fd/":            "",
		"7/task/7/fd/x":    "",
		"7/task/9/fd/3":    "-> /dev/infiniband/uverbs0",
		"7/task/notanum/x": "",
	})
	all, err := f.Descriptors(7, everything)
	if err != nil || len(all) != 1 || all[0].FD != 3 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestProcessWithoutDescriptors(t *testing.T) {
	single := strings.Replace(statLine, "20 0 3 0", "20 0 1 0", 1)
	f := tree(t, map[string]string{"7/stat": single, "7/fd/": "", "7/task/7/fd/3": "-> /dev/infiniband/uverbs0"})
	if all, err := f.Descriptors(7, everything); err != nil || all != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// A descriptor that a child inherits is the same open file; one of the same path
// that is opened again is not.
func TestSameFile(t *testing.T) {
	if os.Getenv("PROCFS_TEST_CHILD") != "" {
		os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // the parent closes it
		os.Exit(0)
	}
	open := func() *os.File {
		f, err := os.Open("/dev/zero")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(), open()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSameFile$")
	cmd.Env = append(os.Environ(), "PROCFS_TEST_CHILD=1")
	cmd.ExtraFiles = []*os.File{a}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); cmd.Wait() }()
	self, child := os.Getpid(), cmd.Process.Pid
	same, err := Live().SameFile(self, int(a.Fd()), child, 3)
	if errors.Is(err, unix.ENOSYS) {
		t.Skipf("this kernel has no kcmp: %v", err)
	}
	if err != nil || !same {
		t.Errorf("inherited: %v, %v", same, err)
	}
	if same, err := Live().SameFile(self, int(b.Fd()), child, 3); err != nil || same {
		t.Errorf("opened again: %v, %v", same, err)
	}
	if _, err := Live().SameFile(self, 999, child, 3); !errors.Is(err, unix.EBADF) {
		t.Errorf("no such descriptor: %v", err)
	}
}

func TestSameFileInACopiedTree(t *testing.T) {
	if _, err := tree(t, nil).SameFile(1, 1, 1, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
