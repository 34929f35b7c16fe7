package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// serving is an ibctl serve on the usual socket, where every ibctl finds it.
type serving struct {
	*api.Conn
	cmd *exec.Cmd
	log string // file
}

// serve starts ibctl serve with a configuration, and returns when it is ready. It
// ends with the test, in order, and leaves nothing.
func serve(t testing.TB, config string) *serving {
	t.Helper()
	s := launch(t, config)
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("ibctl serve said:\n%s", s.said())
		}
	})
	return s
}

// launch is serve without the end.
func launch(t testing.TB, config string) *serving {
	t.Helper()
	dir := t.TempDir()
	s := &serving{log: filepath.Join(dir, "log")}
	conf := filepath.Join(dir, "ibctl.yaml")
	if err := os.WriteFile(conf, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ready := listenForReady(t, filepath.Join(dir, "notify"))
	s.cmd = exec.Command("ibctl", "serve", "--config", conf)
	s.cmd.Stderr = log
	s.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a test that fails half way does not leave it to the next
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	if err := ready(); err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		t.Fatalf("ibctl serve: %v\n%s", err, s.said())
	}
	if s.Conn, err = api.Dial(t.Context(), api.Socket); err != nil {
		t.Fatal(err)
	}
	return s
}

func listenForReady(t testing.TB, path string) (wait func() error) {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		defer l.Close()
		_ = l.SetReadDeadline(time.Now().Add(2 * time.Minute))
		buf := make([]byte, 64)
		n, err := l.Read(buf)
		if err == nil && string(buf[:n]) != "READY=1" {
			err = fmt.Errorf("it says %q", buf[:n])
		}
		return err
	}
}

func (s *serving) said() string {
	text, err := os.ReadFile(s.log)
	return fmt.Sprint(string(text), err)
}

// stop ends it as systemd does. Nothing of it is left then.
func (s *serving) stop(t testing.TB) {
	t.Helper()
	_ = s.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return // the test has ended it
	}
	watchdog := time.AfterFunc(2*time.Minute, func() { _ = s.cmd.Process.Signal(syscall.SIGQUIT) })
	defer watchdog.Stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ibctl serve: %v\n%s", err, s.said())
	}
	if left := processes("ibctl"); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if _, err := os.Lstat(api.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// processes returns the command lines, by pid, of processes that are called name.
// The dead that nobody has waited for do not count.
func processes(name string) map[string]string {
	found := map[string]string{}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		text, err := os.ReadFile(path)
		argv0, _, _ := strings.Cut(string(text), "\x00")
		if err == nil && filepath.Base(argv0) == name {
			found[filepath.Base(filepath.Dir(path))] = strings.ReplaceAll(string(text), "\x00", " ")
		}
	}
	return found
}

// clients returns what there is of clients, by name.
func (s *serving) clients(t testing.TB) map[string]*apiv1.Client {
	t.Helper()
	reply, err := s.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*apiv1.Client{}
	for _, c := range reply.GetClients() {
		byName[c.GetName()] = c
	}
	return byName
}

// history is what a daemon tells of itself, from its start, as it comes.
type history struct {
	mu     sync.Mutex
	events []*apiv1.Event
	missed uint64
	ended  chan error
}

// follow reads the daemon's events until the daemon ends.
func (s *serving) follow(t testing.TB) *history {
	t.Helper()
	stream, err := s.WatchEvents(context.Background(), &apiv1.WatchEventsRequest{Replay: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	h := &history{ended: make(chan error, 1)}
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				h.ended <- err
				return
			}
			h.mu.Lock()
			h.missed += m.GetMissed()
			if e := m.GetEvent(); e != nil {
				h.events = append(h.events, e)
			}
			h.mu.Unlock()
		}
	}()
	return h
}

func (h *history) all() []*apiv1.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[:len(h.events):len(h.events)]
}

// wait returns the first event that fits, however long ago it was.
func (h *history) wait(t *testing.T, what string, fits func(*apiv1.Event) bool) *apiv1.Event {
	t.Helper()
	var found *apiv1.Event
	waitFor(t, what, func() bool {
		for _, e := range h.all() {
			if fits(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}
