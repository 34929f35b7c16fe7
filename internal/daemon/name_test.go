package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// testName is a name that nobody else has.
func testName(t testing.TB) string { return fmt.Sprintf("@ibctl-test-%d-%s", os.Getpid(), t.Name()) }

func TestNameIsHadOnce(t *testing.T) {
	text, own := testName(t), uint32(os.Geteuid())
	n, err := takeName(text, own)
	if err != nil {
		t.Fatal(err)
	}
	_, err = takeName(text, own)
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("taken twice: %v", err)
	}
	n.close()
	if n, err = takeName(text, own); err != nil {
		t.Fatalf("given back, and not to be had: %v", err)
	}
	n.close()
}

// A user who takes the name keeps no daemon from starting, whether he listens or not.
func TestNameOfAStranger(t *testing.T) {
	text := testName(t)
	stranger := listenAs(t, text, 65534)
	if _, err := takeName(text, uint32(os.Geteuid())); !errors.Is(err, errStranger) || !strings.Contains(err.Error(), "user 65534") {
		t.Errorf("of somebody else: %v", err)
	}
	var said strings.Builder
	n, err := takePlace(Options{place: text, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if n != nil || err != nil || !strings.Contains(said.String(), "a second ibctl serve may go unnoticed") {
		t.Errorf("%v, %v; said %q", n, err, said.String())
	}
	stranger.Close()

	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: text}); err != nil {
		t.Fatal(err)
	}
	if _, err := takeName(text, uint32(os.Geteuid())); !errors.Is(err, errStranger) {
		t.Errorf("of somebody who does not listen: %v", err)
	}
}

// listenAs listens as another user, who the kernel then says has the name. The
// thread that has become that user ends with the goroutine.
func listenAs(t *testing.T, text string, uid int) (l *net.UnixListener) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		var err error
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: text, Net: "unix"})
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("listen as user %d, which takes root: %v", uid, err)
	}
	return l
}

// Whatever becomes of the run directory, there is one daemon of the host's devices.
func TestOneAtATimeWithoutRunDir(t *testing.T) {
	r := start(t, func(r *running) { r.opts.Root = "" })
	if err := os.RemoveAll(r.opts.RunDir); err != nil {
		t.Fatal(err)
	}
	second := r.opts
	second.Socket += "2"
	if err := Run(t.Context(), t.Context(), second); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "in this network namespace") {
		t.Errorf("a second one: %v", err)
	}
}

// A captured tree's devices are nobody's: any number of daemons serve it.
func TestCapturedTreeHasNoName(t *testing.T) {
	same := func(r *running) { r.opts.place = testName(t) }
	start(t, same)
	start(t, same)
}

// What somebody has removed is back soon, and a plugin can start again.
func TestRunDirIsPutBack(t *testing.T) {
	r := start(t, nil, "roce")
	for range 2 {
		if err := errors.Join(os.RemoveAll(r.opts.RunDir), os.Remove(r.opts.Socket)); err != nil {
			t.Fatal(err)
		}
		r.reachable(t)
		second := r.opts
		second.Socket += "2"
		if err := Run(t.Context(), t.Context(), second); !errors.Is(err, ErrRunning) {
			t.Errorf("a second one: %v", err)
		}
		conn := r.dial(t)
		if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "roce"}); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "roce"}); err != nil {
			t.Fatal(err)
		}
		alive(t, r)
	}
	r.end(t)
	if _, err := os.Lstat(r.opts.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// A daemon whose run directory another one has by now gives way, in order.
func TestGivesWay(t *testing.T) {
	r := start(t, func(r *running) { r.opts.Recheck = recheckSoon }, "roce")
	pid := pidOf(t, r, "roce")
	moved := r.opts.RunDir + ".old" // as if it were removed, and made and locked at once
	other := r.opts.RunDir + ".new"
	dir, err := takeRunDir(other)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if err := errors.Join(os.Rename(r.opts.RunDir, moved), os.Rename(other, r.opts.RunDir)); err != nil {
		t.Fatal(err)
	}
	err = <-r.ended
	r.ended <- nil
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "the run directory was taken away") {
		t.Errorf("it ended with %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is left: %v", pid, err)
	}
}
