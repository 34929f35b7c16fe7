package procfs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree writes files below a directory; "-> x" makes a link to x, and a name that
// ends in a slash a directory.
func tree(t testing.TB, files map[string]string) FS {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			path += "/.keep"
		}
		if err := write(path, content); err != nil {
			t.Fatal(err)
		}
	}
	return Open(root)
}

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		return os.Symlink(target, path)
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

const statLine = "171 (ib) write (bw) S 12 171 171 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 3 0 4711 1000 100 18446744073709551615\n"

func TestProcess(t *testing.T) {
	f := tree(t, map[string]string{
		"171/stat":    statLine,
		"171/status":  "Name:\tib_write_bw\nTgid:\t170\nUid:\t1000\t1001\t1002\t1003\n",
		"171/cmdline": "ib_write_bw\x00-d\x00rxe 0\x00",
		"171/cgroup":  "0::/system.slice/bw.service\n",
		"12/stat":     statLine,
		"self/stat":   statLine,
	})
	pids, err := f.PIDs()
	if err != nil || !slices.Equal(pids, []int{12, 171}) {
		t.Errorf("processes %v, %v", pids, err)
	}
	p, err := f.Process(171)
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != 171 || p.Parent != 12 || p.Comm != "ib) write (bw" || p.UID != 1001 || p.State != 'S' || p.Threads != 3 || p.Started != 4711 {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(p.Command, []string{"ib_write_bw", "-d", "rxe 0"}) || p.Cgroup.Unit != "bw.service" {
		t.Errorf("%+v", p)
	}
	if started, err := f.Started(171); err != nil || started != 4711 {
		t.Errorf("started %d, %v", started, err)
	}
	if leader, err := f.Leader(171); err != nil || leader != 170 {
		t.Errorf("leader %d, %v", leader, err)
	}
	if _, err := f.Process(4); !errors.Is(err, ErrGone) {
		t.Errorf("a process that is not there: %v", err)
	}
}

func TestProcessThatMakesNoSense(t *testing.T) {
	for _, stat := range []string{"", "1", "1 (a", "1 a) S 1", "1 (a) S", "1 (a) SS 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", "x (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"} {
		if _, err := parseStat([]byte(stat)); !errors.Is(err, errStat) {
			t.Errorf("%q: %v", stat, err)
		}
	}
	for _, status := range []string{"", "Uid:\n", "Uid: 1\n", "Uid: a b c d\n"} {
		f := tree(t, map[string]string{"1/stat": statLine, "1/status": status, "1/cmdline": ""})
		if p, err := f.Process(1); err == nil {
			t.Errorf("status %q: %+v", status, p)
		}
		if leader, err := f.Leader(1); err == nil {
			t.Errorf("status %q: leader %d", status, leader)
		}
	}
}

// The tests' own process is one that the kernel describes.
func TestLive(t *testing.T) {
	p, err := Live().Process(os.Getpid())
	if err != nil || p.PID != os.Getpid() || p.Parent != os.Getppid() || p.UID != uint32(os.Geteuid()) || !slices.Equal(p.Command, os.Args) || p.Started == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	tasks, err := Live().Tasks(os.Getpid())
	if err != nil || len(tasks) == 0 || tasks[0].TID != os.Getpid() {
		t.Errorf("%+v, %v", tasks, err)
	}
	if _, err := Live().WholeHost(); err != nil {
		t.Error(err)
	}
}

func TestLiveProcessThatEnds(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	gone := cmd.Process.Pid
	_, err := Live().Process(gone)
	_, errFDs := Live().Descriptors(gone, everything)
	_, errTasks := Live().Tasks(gone)
	for _, err := range []error{err, errFDs, errTasks} {
		if !errors.Is(err, ErrGone) {
			t.Errorf("%v", err)
		}
	}
}

func TestWholeHost(t *testing.T) {
	for _, tt := range []struct {
		files map[string]string
		want  bool
	}{
		{map[string]string{"self/ns/pid": "-> pid:[4026531836]", "1/stat": statLine}, true},
		{map[string]string{"self/ns/pid": "-> pid:[4026532500]", "1/stat": statLine}, false},
		{map[string]string{"self/ns/pid": "-> pid:[4026531836]"}, false}, // hidepid
	} {
		if got, err := tree(t, tt.files).WholeHost(); err != nil || got != tt.want {
			t.Errorf("%v: %v, %v", tt.files, got, err)
		}
	}
	if _, err := tree(t, nil).WholeHost(); err == nil {
		t.Error("no error without a namespace")
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	if _, err := Live().Descriptors(1, everything); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("descriptors of process 1: %v", err)
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte(statLine))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := parseStat(text); err != nil && !errors.Is(err, errStat) {
			t.Error(err)
		}
	})
}
