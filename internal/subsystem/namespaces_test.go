package subsystem

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/procfs"
)

// tree is a /proc with processes in three namespaces: the first, one in which
// sleep lives, and one of which a daemon has a descriptor.
func tree(t *testing.T) procfs.FS {
	t.Helper()
	root := t.TempDir()
	link := func(name, target string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, file); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	process := func(pid, comm, netns string) {
		write(pid+"/stat", pid+" ("+comm+") S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 77 0\n")
		write(pid+"/status", "Tgid:\t"+pid+"\nUid:\t0\t0\t0\t0\n")
		write(pid+"/cmdline", "")
		write(pid+"/comm", comm+"\n")
		link(pid+"/ns/net", netns)
		link(pid+"/task/"+pid+"/ns/net", netns)
	}
	process("2", "kthreadd", "net:[100]")
	process("7", "sleep", "net:[300]")
	process("8", "containerd", "net:[100]")
	link("8/fd/5", "net:[200]")
	link("8/fd/6", "socket:[9]")
	link("7/task/71/ns/net", "net:[100]") // a thread that stayed behind
	return procfs.Open(root)
}

func TestNamespacesOfProcesses(t *testing.T) {
	f := finder{proc: tree(t), byInode: map[uint64]*Namespace{}}
	var err error
	if f.initial, err = f.proc.InitialNetns(); err != nil || f.initial != 100 {
		t.Fatalf("initial %d, %v", f.initial, err)
	}
	if err := f.processes(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := f.list()
	if len(all) != 2 || all[0].Inode != 200 || all[1].Inode != 300 {
		t.Fatalf("%+v", all)
	}
	held, lived := all[0].Processes, all[1].Processes
	if len(held) != 1 || held[0] != (Process{PID: 8, Comm: "containerd", Open: true}) {
		t.Errorf("held by %+v", held)
	}
	if len(lived) != 1 || lived[0] != (Process{PID: 7, Comm: "sleep"}) {
		t.Errorf("lived in by %+v", lived)
	}
}

func TestBootLine(t *testing.T) {
	if s, e := BootLine(Shared), BootLine(Exclusive); !strings.HasSuffix(s, "netns_mode=1") || !strings.HasSuffix(e, "netns_mode=0") {
		t.Errorf("%s, %s", s, e)
	}
}
