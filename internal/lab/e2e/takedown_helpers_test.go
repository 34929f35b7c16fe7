package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// oneHCA is rxe0 on a dummy netdev with the address 192.0.2.1.
func oneHCA() lab.Topology {
	return lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"192.0.2.1/24"}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}
}

// waits tells whether this kernel waits for who has an rxe device open: rxe can
// take devices away since a 7.x.
func waits() bool {
	series, _ := lab.Inside()
	return series != "7.x"
}

// startGroup starts a program, with what it starts in one process group, and
// ends it with the test.
func startGroup(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	done := make(chan struct{})
	go func() { defer close(done); cmd.Wait() }() //nolint:errcheck // it is killed
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-done
	})
	return cmd
}

// hasOpen tells whether a process has a device open.
func hasOpen(pid int, device string) bool {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if strings.HasPrefix(link, "/dev/infiniband/"+device) {
			return true
		}
	}
	return false
}

// users starts ib_write_bw and rping -s on rxe0, and returns when they wait.
func users(t *testing.T) (bw, rping *exec.Cmd) {
	t.Helper()
	return waitOn(t, "192.0.2.1")
}

// waitOn is users where address is rxe0's.
func waitOn(t *testing.T, address string) (bw, rping *exec.Cmd) {
	t.Helper()
	bw = startGroup(t, "ib_write_bw", "-d", "rxe0", "-x", "1")
	rping = startGroup(t, "rping", "-s", "-a", address)
	waitFor(t, "ib_write_bw and rping to wait on rxe0", func() bool {
		var ids []struct {
			PID int `json:"pid"`
		}
		out, err := exec.Command("rdma", "-j", "res", "show", "cm_id").Output()
		listening := err == nil && json.Unmarshal(out, &ids) == nil && len(ids) > 0 && ids[0].PID == rping.Process.Pid
		return listening && hasOpen(bw.Process.Pid, "uverbs0") && hasOpen(rping.Process.Pid, "uverbs0")
	})
	return bw, rping
}

// shellHolding starts a shell script that prints a pid as its first line.
func shellHolding(t testing.TB, script string) (cmd *exec.Cmd, printed int) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("sh", "-c", script)
	cmd.Stdout = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		cmd.Wait()                                      //nolint:errcheck // it is killed
		out.Close()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscan(line, &printed); err != nil || scanErr != nil {
		t.Fatalf("%s: printed %q, %v, %v", script, line, err, scanErr)
	}
	return cmd, printed
}

// stillThere tells whether a process runs.
func stillThere(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}
