package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/config"
)

// stubborn is a client that does not let go until it is killed.
type stubborn struct{ picky }

func (stubborn) Name() string { return "stubborn" }

func (stubborn) Remove(context.Context, *plugin.Device) error { select {} }

// collect reads all events of a run, and gives them back when that has ended.
func collect(t *testing.T, conn *api.Conn) func() []*apiv1.Event {
	t.Helper()
	stream, err := conn.WatchEvents(t.Context(), &apiv1.WatchEventsRequest{Replay: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	return func() []*apiv1.Event {
		all, err := receive(t, stream, nil)
		if err != nil {
			t.Error(err)
		}
		var list []*apiv1.Event
		for _, m := range all {
			list = append(list, m.GetEvent())
		}
		return list
	}
}

// The last client loaded goes first, from every device, and the devices after it.
func TestStopInOrder(t *testing.T) {
	r := start(t, nil, "roce", "picky")
	rest := collect(t, r.dial(t))
	r.end(t)
	var got []string
	for _, e := range rest() {
		switch e.GetKind() {
		case "client-removed", "device-unregistered":
			got = append(got, e.GetClient()+" "+e.GetDevice())
		}
	}
	if len(got) != 5 {
		t.Fatalf("%q", got)
	}
	slices.Sort(got[1:3])
	want := []string{"picky mlx5_0", "roce mlx5_0", "roce mlx5_1", " mlx5_0", " mlx5_1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Who is in a hurry does not wait for a client, but kills it.
func TestStopHastened(t *testing.T) {
	r := start(t, nil, "roce", "stubborn")
	pid := pidOf(t, r, "stubborn")
	began := time.Now()
	time.AfterFunc(200*time.Millisecond, r.hasten)
	r.end(t)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is left: %v", pid, err)
	}
}

// So does the daemon, once its own limit has passed.
func TestStopIsBounded(t *testing.T) {
	r := start(t, func(r *running) { r.conf.Limits.Stop = 300 * time.Millisecond }, "stubborn")
	pid := pidOf(t, r, "stubborn")
	r.end(t)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is left: %v", pid, err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	r := start(t, nil, "roce")
	r.end(t)
	if _, err := os.Lstat(r.opts.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(r.opts.RunDir, "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(r.opts.RunDir, "socket")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the other name of the socket is left: %v", err)
	}
}

// A socket that somebody has removed, or put another file in place of, is back
// soon.
func TestSocketIsPutBack(t *testing.T) {
	t.Run("told", func(t *testing.T) { socketIsPutBack(t, start(t, nil, "roce")) })
	t.Run("by the clock", func(t *testing.T) {
		socketIsPutBack(t, start(t, func(r *running) { r.opts.Recheck, r.opts.unwatched = recheckSoon, true }, "roce"))
	})
}

func socketIsPutBack(t *testing.T, r *running) {
	t.Helper()
	for _, harm := range []func() error{
		func() error { return os.Remove(r.opts.Socket) },
		func() error { return os.Rename(r.opts.Socket, r.opts.Socket+".old") },
		func() error {
			return errors.Join(os.WriteFile(r.opts.Socket+".x", nil, 0o600), os.Rename(r.opts.Socket+".x", r.opts.Socket))
		},
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		r.reachable(t)
	}
}

func TestOneAtATime(t *testing.T) {
	r := start(t, nil)
	opts := r.opts
	opts.Socket += "2"
	if err := Run(t.Context(), t.Context(), opts); !errors.Is(err, ErrRunning) {
		t.Errorf("a second one: %v", err)
	}
	alive(t, r)
}

// What a crash has left is in nobody's way, and gone after the next start.
func TestStartAfterACrash(t *testing.T) {
	var left []string
	r := start(t, func(r *running) {
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: r.opts.Socket, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		_ = dead.Close()
		left = []string{filepath.Join(r.opts.RunDir, "plugins", "123-456"), filepath.Join(r.opts.RunDir, "socket.new")}
		if err := os.MkdirAll(left[0], 0o700); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{r.opts.RunDir, filepath.Dir(left[0])} {
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{left[1], filepath.Join(r.opts.RunDir, "socket")} {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}, "roce")
	alive(t, r)
	for _, path := range left {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

func TestSocketIsForRootAndTheGroup(t *testing.T) {
	r := start(t, nil)
	if info, err := os.Stat(r.opts.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("without a group: %v, %v", info.Mode(), err)
	}
	gid := os.Getegid()
	g := start(t, func(r *running) { r.conf.Group = itoa(uint32(gid)) })
	info, err := os.Stat(g.opts.Socket)
	if err != nil || info.Mode().Perm() != 0o660 || info.Sys().(*syscall.Stat_t).Gid != uint32(gid) {
		t.Errorf("with a group: %v, %v", info.Mode(), err)
	}
	dir, err := os.Stat(filepath.Dir(g.opts.Socket))
	if err != nil || dir.Mode().Perm()&0o011 != 0o011 {
		t.Errorf("nobody gets through to it: %v, %v", dir.Mode(), err)
	}
}

func TestUnknownGroup(t *testing.T) {
	dir := shortDir(t)
	r := running{}
	r.conf.Group = "no-such-group-here"
	err := Run(t.Context(), t.Context(), Options{
		Configure: func() (config.Config, error) { return r.conf, nil },
		Socket:    filepath.Join(dir, "s"), RunDir: filepath.Join(dir, "r"),
	})
	if err == nil {
		t.Error("it runs")
	}
}

// A socket of the service manager's is used, and left to it.
func TestGivenSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "given")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	r := start(t, func(r *running) { r.opts.Listener, r.opts.Socket = l, path })
	alive(t, r)
	r.end(t)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("it has gone: %v", err)
	}
}

func TestWatchdogHears(t *testing.T) {
	heard := make(chan struct{}, 100)
	start(t, func(r *running) {
		notify := r.opts.Notify
		r.opts.Watchdog = 20 * time.Millisecond
		r.opts.Notify = func(state string) {
			if state == notifyAlive {
				heard <- struct{}{}
				return
			}
			notify(state)
		}
	})
	for range 3 {
		<-heard
	}
}
