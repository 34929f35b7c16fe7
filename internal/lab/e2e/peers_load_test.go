package e2e

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// load is what runs while ibctl is held against its peers.
type load struct{ commands []*exec.Cmd }

// startLoad puts HCAs under real load: traffic between two processes, a queue pair
// that shares its receive queue, a connection of the connection manager, and a
// listener in another namespace.
func startLoad(t *testing.T) *load {
	t.Helper()
	tp := lab.Demo()
	tp.Up(t)
	l := &load{}
	l.start(t, "ib_write_bw", "-d", "rxe0", "-x", "1", "-s", "1024", "-D", "600")
	waitFor(t, "ib_write_bw to wait", func() bool { return listening("18515") })
	l.start(t, "ib_write_bw", "-d", "rxe0", "-x", "1", "-s", "1024", "-D", "600", "192.0.2.10")
	l.start(t, "ibv_srq_pingpong", "-d", "rxe3", "-g", "1", "-q", "4", "-p", "18600")
	l.start(t, "rping", "-s", "-a", "10.0.3.10", "-P")
	l.start(t, "ip", "netns", "exec", "blue", "rping", "-s", "-a", "10.0.4.2")
	waitFor(t, "rping to listen", func() bool { return hasObjects(t, "cm_id", "state", "LISTEN", 2) })
	l.start(t, "rping", "-c", "-a", "10.0.3.10", "-C", "1000000")
	waitFor(t, "rping to be connected", func() bool { return hasObjects(t, "cm_id", "state", "CONNECT", 2) })
	waitFor(t, "ib_write_bw to write", func() bool {
		return hasObjects(t, "qp", "state", "RTS", 3) && hasObjects(t, "mr", "comm", "ib_write_bw", 2)
	})
	waitFor(t, "ibv_srq_pingpong to wait", func() bool { return hasObjects(t, "srq", "comm", "ibv_srq_pingpon", 1) })
	return l
}

func (l *load) start(t *testing.T, name string, args ...string) {
	t.Helper()
	l.commands = append(l.commands, startGroup(t, name, args...))
}

// freeze stops all processes, so that what two tools read one after the other is
// the same.
func (l *load) freeze(t *testing.T) {
	t.Helper()
	for _, cmd := range l.commands {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP); err != nil {
			t.Fatalf("stop %s: %v", cmd, err)
		}
	}
	last := ""
	waitFor(t, "the traffic to cease", func() bool {
		now := fmt.Sprint(rdmaObjects(t, "", "res", "show", "qp"))
		defer func() { last = now }()
		return now == last
	})
}

// listening tells whether a TCP port is listened on.
func listening(port string) bool {
	out, err := exec.Command("ss", "-Hltn", "sport", "=", ":"+port).Output()
	return err == nil && len(out) > 0
}

// hasObjects tells whether rdma lists at least n objects whose key has a value.
func hasObjects(t *testing.T, kind, key, value string, n int) bool {
	t.Helper()
	for _, o := range rdmaObjects(t, "", "res", "show", kind) {
		if o[key] == value {
			n--
		}
	}
	return n <= 0
}
