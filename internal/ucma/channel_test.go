package ucma

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// queue stands for the device: a socket whose send buffer is full says EAGAIN to
// a command as the device does while it has no event, and becomes readable when
// the peer writes, as the device does when it has one.
func queue(t *testing.T) (c *Channel, peer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err = newChannel(os.NewFile(uintptr(fds[0]), "queue"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		unix.Close(fds[1])
	})
	for err = error(nil); err == nil; {
		_, err = unix.Write(fds[0], make([]byte, 512))
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
	return c, fds[1]
}

// arrive makes room for the next command and wakes whoever waits.
func arrive(t *testing.T, peer int) {
	t.Helper()
	buf := make([]byte, 4096)
	for err := error(nil); err == nil; {
		_, err = unix.Read(peer, buf)
	}
	if _, err := unix.Write(peer, []byte{1}); err != nil {
		t.Fatal(err)
	}
}

func TestNextEventEndsWithItsContext(t *testing.T) {
	c, peer := queue(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.NextEvent(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	// The deadline of one call must not reach into the next.
	arrive(t, peer)
	if _, err := c.NextEvent(t.Context()); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestNextEventWithAnEndedContext(t *testing.T) {
	c, _ := queue(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.NextEvent(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNextEventWaits(t *testing.T) {
	c, peer := queue(t)
	got := make(chan error, 1)
	go func() {
		_, err := c.NextEvent(t.Context())
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("returned before there was an event: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	arrive(t, peer)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestCloseWakesNextEvent(t *testing.T) {
	c, _ := queue(t)
	got := make(chan error, 1)
	go func() {
		_, err := c.NextEvent(context.Background())
		got <- err
	}()
	time.Sleep(20 * time.Millisecond) // let it wait; if it doesn't yet, the test holds all the same
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want os.ErrClosed", err)
	}
}

func TestCommandsAfterClose(t *testing.T) {
	c, _ := queue(t)
	c.Close()
	if _, err := c.NewID(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v, want os.ErrClosed", err)
	}
}

func TestOpenWithoutConnectionManager(t *testing.T) {
	if _, err := os.Stat(DevicePath); err == nil {
		t.Log("this machine has a connection manager; opening it must work")
		c, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	if _, err := Open(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestTooMuchPrivateData(t *testing.T) {
	c, _ := queue(t)
	id := &ID{ch: c, number: 1}
	if err := id.Connect(ConnectParams{PrivateData: make([]byte, MaxConnectData+1)}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("connect: %v", err)
	}
	if err := id.Reject(make([]byte, MaxRejectData+1)); !errors.Is(err, unix.EINVAL) {
		t.Errorf("reject: %v", err)
	}
}
