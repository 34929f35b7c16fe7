package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/soak"
)

// TestDaemonKilledAnywhere: whatever ibctl serve is doing when SIGKILL comes, whoever asked it gets an end, and the next one starts at
// once, finds nothing in its way and leaves nothing of the old.
func TestDaemonKilledAnywhere(t *testing.T) {
	dice := soak.Dice(t)
	oneHCA().Up(t)
	for range soak.Times(4, 40) {
		s := launch(t, churnConfig)
		var old []int
		for _, c := range s.clients(t) {
			old = append(old, int(c.GetPid()))
		}
		stop := stir(t)
		time.Sleep(time.Duration(dice.Int64N(int64(2 * time.Second))))
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // killed
		_ = s.Close()
		again := launch(t, churnConfig)
		stop()
		again.becomesSame(t, "a kill")
		for _, pid := range old {
			if strings.Contains(commandLine(pid), "plugin-serve") {
				t.Errorf("process %d is left", pid)
			}
		}
		if files, _ := filepath.Glob("/run/ibctl/serve/plugins/*"); len(files) != 1 {
			t.Errorf("in the run directory: %v", files)
		}
		again.stop(t)
	}
	if left, _ := filepath.Glob(cmConfigfs + "*"); len(left) > 0 {
		t.Errorf("in configfs: %v", left)
	}
}

// stir has a device come and go, and a daemon asked and told things, until stop is called. No command may hang, or end as nothing
// should.
func stir(t *testing.T) (stop func()) {
	end := make(chan struct{})
	var stirring sync.WaitGroup
	forever := func(commands ...[]string) {
		stirring.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				command := commands[i%len(commands)]
				cmd := exec.Command(command[0], command[1:]...)
				out, err := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); err != nil && (code < 0 || code == 64 || code > 77) {
					t.Errorf("%q: %v\n%s", command, err, out)
				}
			}
		})
	}
	forever([]string{"rdma", "link", "add", "rxe1", "type", "rxe", "netdev", "lo"}, []string{"rdma", "link", "add", "rxe1", "type", "rxe", "netdev", "eth0"},
		[]string{"rdma", "link", "del", "rxe0"}, []string{"rdma", "link", "del", "rxe1"}, []string{"rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0"})
	forever([]string{"ibctl", "gid", "show"}, []string{"ibctl", "cm", "tos"}, []string{"ibctl", "client", "unload", "cm"}, []string{"ibctl", "client", "load", "cm"})
	return sync.OnceFunc(func() {
		close(end)
		stirring.Wait()
	})
}

// TestDaemonStopped: a daemon that does not answer is named in a warning, and done without; whoever insists on it is told.
func TestDaemonStopped(t *testing.T) {
	oneHCA().Up(t)
	s := serve(t, "")
	want := ibctl(t, "", "gid", "show", "--socket", "none")
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer s.cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // it is our child
	r := ibctl(t, "", "gid", "show")
	if r.code != 0 || r.stdout != want.stdout || !strings.Contains(r.stderr, "no answer within") {
		t.Errorf("%+v, want\n%+v", r, want)
	}
	if r := ibctl(t, "", "gid", "show", "--socket", api.Socket); r.code != 75 {
		t.Errorf("who insists on it gets %+v", r)
	}
}

// TestDaemonRunFull: where /run is full, or can only be read, plugins cannot start. The daemon says why, answers on, and they are back
// when there is room.
func TestDaemonRunFull(t *testing.T) {
	oneHCA().Up(t)
	if err := os.MkdirAll("/run/ibctl", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/run/ibctl", "tmpfs", 0, "nr_inodes=64,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the daemon's end
		if err := unix.Unmount("/run/ibctl", 0); err != nil {
			t.Error(err)
		}
	})
	s := serve(t, "clients: [roce, cm]\n")
	h := s.follow(t)
	for _, trouble := range []struct {
		words       string
		begin, over func(t *testing.T)
	}{
		{"no space left on device", fillRun, emptyRun},
		{"read-only file system", remountRun("ro"), remountRun("rw")},
	} {
		trouble.begin(t)
		pid := int(s.clients(t)["roce"].GetPid())
		seen := len(h.all())
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitFor(t, trouble.words, func() bool {
			return slices.ContainsFunc(h.all()[seen:], func(e *apiv1.Event) bool {
				return strings.HasPrefix(e.GetKind(), "plugin-") && e.GetClient() == "roce" && strings.Contains(e.GetError(), trouble.words)
			})
		})
		if r := ibctl(t, "", "dev", "list", "--socket", api.Socket); r.code != 0 || !strings.Contains(r.stdout, "rxe0") {
			t.Errorf("%s: dev list: %+v", trouble.words, r)
		}
		if r := ibctl(t, "", "gid", "show", "--socket", api.Socket); r.code != 69 && r.code != 0 {
			t.Errorf("%s: gid show: %+v", trouble.words, r)
		}
		trouble.over(t)
		if s.clients(t)["roce"].GetState() == "quarantined" { // the machine was slow to make room
			run(t, "ibctl", "client", "unload", "roce")
			run(t, "ibctl", "client", "load", "roce")
		}
		s.becomesSame(t, trouble.words)
	}
}

func fillRun(t *testing.T) {
	for i := 0; ; i++ {
		f, err := os.Create(fmt.Sprintf("/run/ibctl/filler%d", i))
		if err != nil {
			return // it is full
		}
		_ = f.Close()
	}
}

func emptyRun(t *testing.T) {
	files, _ := filepath.Glob("/run/ibctl/filler*")
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func remountRun(how string) func(t *testing.T) {
	return func(t *testing.T) { run(t, "mount", "-o", "remount,"+how, "/run/ibctl") }
}
