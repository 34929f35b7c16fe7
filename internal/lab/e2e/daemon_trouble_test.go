package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/soak"
)

// TestDaemonKilledAnywhere: whatever ibctl serve is doing when SIGKILL comes, whoever asked it gets an end, and the next one starts at
// once, finds nothing in its way and leaves nothing of the old.
func TestDaemonKilledAnywhere(t *testing.T) {
	onOneKernel(t)
	dice := soak.Dice(t)
	oneHCA().Up(t)
	for i := range soak.Times(4, 40) {
		if i%10 == 9 { // the lab takes silence for a hang
			t.Logf("%d kills", i)
		}
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
		again := launch(t, churnConfig) // however early it is asked and told things
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
	stop = sync.OnceFunc(func() {
		close(end)
		stirring.Wait()
	})
	t.Cleanup(stop) // a test that fails must not stir what the others have
	return stop
}

// TestDaemonStopped: a daemon that does not answer is named in a warning, and done without; whoever insists on it is told.
func TestDaemonStopped(t *testing.T) {
	onOneKernel(t)
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
	if r := ibctl(t, "", "dev", "drain", "rxe0"); r.code != 75 || !strings.Contains(r.stderr, "ibctl serve has clients on the devices, and cannot be asked") || strings.Contains(r.stderr, "doing without") {
		t.Errorf("who needs it gets %+v", r)
	}
}
