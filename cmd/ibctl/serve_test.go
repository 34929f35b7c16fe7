package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// serviceManager is what systemd is to a service: a socket made for it, and one
// to be told things on.
type serviceManager struct {
	socket string
	told   *net.UnixConn
	cmd    *exec.Cmd
	log    *strings.Builder
	read   chan struct{}
}

// underManager starts ibctl serve the way systemd does.
func underManager(t *testing.T, args ...string) *serviceManager {
	t.Helper()
	dir, err := os.MkdirTemp("", "ib")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &serviceManager{socket: filepath.Join(dir, "s"), log: new(strings.Builder), read: make(chan struct{})}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: m.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	defer file.Close()
	notify := filepath.Join(dir, "notify")
	if m.told, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.told.Close() })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command("bash", append([]string{"-c", `LISTEN_PID=$$ exec -a ibctl "$0" "$@"`, exe, "--root", captured(t), "--socket", m.socket, "serve"}, args...)...)
	m.cmd.ExtraFiles = []*os.File{file}
	m.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=200000", "JOURNAL_STREAM=1:2")
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.read)
		_, _ = io.Copy(m.log, stderr)
	}()
	return m
}

// captured is a tree without devices: of those of this host there may be one ibctl
// serve only, which may run.
func captured(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "class/infiniband"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// hear waits until the service says so.
func (m *serviceManager) hear(t *testing.T, want string) {
	t.Helper()
	_ = m.told.SetReadDeadline(time.Now().Add(time.Minute))
	for buf := make([]byte, 4096); ; {
		n, err := m.told.Read(buf)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if string(buf[:n]) == want {
			return
		}
	}
}

// end waits for the end, and returns what was logged.
func (m *serviceManager) end(t *testing.T) string {
	t.Helper()
	<-m.read
	if err := m.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, m.log)
	}
	return m.log.String()
}

func TestServeUnderAServiceManager(t *testing.T) {
	m := underManager(t)
	m.hear(t, "READY=1")
	m.hear(t, "WATCHDOG=1")
	m.hear(t, "WATCHDOG=1")
	conn, err := api.Dial(t.Context(), m.socket)
	if err != nil {
		t.Fatal(err)
	}
	hello, err := conn.Hello(t.Context(), &apiv1.HelloRequest{})
	if err != nil || int(hello.GetPid()) != m.cmd.Process.Pid {
		t.Errorf("%v, %v; want process %d", hello, err, m.cmd.Process.Pid)
	}
	_ = conn.Close()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hear(t, "STOPPING=1")
	log := m.end(t)
	if _, err := os.Stat(m.socket); err != nil {
		t.Errorf("the socket is the manager's: %v", err)
	}
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "<") || strings.Contains(lines.Text(), "time=") {
			t.Errorf("not a line for the journal: %q", lines.Text())
		}
	}
	if !strings.Contains(log, "<6>msg=ready") {
		t.Errorf("it did not log that it was ready:\n%s", log)
	}
}

func TestServeUsesSmallPages(t *testing.T) {
	m := underManager(t)
	m.hear(t, "READY=1")
	for _, pid := range append(childrenOf(t, m.cmd.Process.Pid), strconv.Itoa(m.cmd.Process.Pid)) {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), "THP_enabled:\t1") {
			t.Errorf("process %s is given huge pages", pid)
		}
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.end(t)
}

// Every kind of death of ibctl serve takes its plugins along.
func TestServeKilledLeavesNoPlugin(t *testing.T) {
	m := underManager(t)
	m.hear(t, "READY=1")
	conn, err := api.Dial(t.Context(), m.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := conn.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil || len(reply.GetClients()) != len(builtins()) {
		t.Fatalf("%v, %v", reply, err)
	}
	if err := m.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-m.read
	if err := m.cmd.Wait(); err == nil {
		t.Error("killed, and yet it ended well")
	}
	for _, c := range reply.GetClients() {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if errors.Is(syscall.Kill(int(c.GetPid()), 0), syscall.ESRCH) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("client %s: process %d lives on", c.GetName(), c.GetPid())
			}
		}
	}
}

// The units say what the program expects of them.
func TestUnits(t *testing.T) {
	tests := []struct{ file, section, name, want string }{
		{"ibctl.socket", "Socket", "ListenStream", api.Socket},
		{"ibctl.socket", "Socket", "SocketMode", "0600"},
		{"ibctl.service", "Service", "Type", "notify"},
		{"ibctl.service", "Service", "KillMode", "mixed"},
		{"ibctl.service", "Service", "Delegate", "yes"},
		{"ibctl.service", "Service", "ExecStart", "/usr/local/bin/ibctl serve"},
		{"ibctl.service", "Service", "RuntimeDirectory", filepath.Base(filepath.Dir(api.Socket))},
		{"ibctl.service", "Service", "RestartPreventExitStatus", "64 77"},
	}
	for _, tt := range tests {
		f, err := os.Open(filepath.Join("../../dist/systemd", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		options, err := unit.DeserializeOptions(f)
		_ = f.Close()
		if err != nil {
			t.Fatalf("%s: %v", tt.file, err)
		}
		found := false
		for _, o := range options {
			found = found || o.Section == tt.section && o.Name == tt.name && o.Value == tt.want
		}
		if !found {
			t.Errorf("%s: no %s=%s in [%s]", tt.file, tt.name, tt.want, tt.section)
		}
	}
}
