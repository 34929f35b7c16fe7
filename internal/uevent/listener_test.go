package uevent

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReceiveEndsWithContext(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		for {
			if _, err := l.Receive(ctx); err != nil {
				done <- err
				return
			}
		}
	}()
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Receive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}

func TestReceiveEndsWithClose(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		for {
			if _, err := l.Receive(t.Context()); err != nil {
				done <- err
				return
			}
		}
	}()
	l.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A process's message is not an event, and neither costs nor ends anything.
func TestForgedEvent(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	forged := "add@/devices/virtual/infiniband/forged\x00ACTION=add\x00DEVPATH=/devices/virtual/infiniband/forged\x00SUBSYSTEM=infiniband\x00SEQNUM=1\x00"
	sendTo(t, l, forged)
	n, kernel, err := l.read()
	for err == nil && kernel { // the machine's own events may come between
		n, kernel, err = l.read()
	}
	if err != nil || string(l.buf[:n]) != forged {
		t.Errorf("got %q, %v", l.buf[:n], err)
	}
}

// sendTo sends a message to the listener's own address.
func sendTo(t *testing.T, l *Listener, message string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	own, err := unix.Getsockname(int(l.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: own.(*unix.SockaddrNetlink).Pid}
	err = unix.Sendto(fd, []byte(message), 0, to)
	if errors.Is(err, unix.EPERM) {
		t.Skip("only CAP_NET_ADMIN may send uevents")
	}
	if err != nil {
		t.Fatal(err)
	}
}
