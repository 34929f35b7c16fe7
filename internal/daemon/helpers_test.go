package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// picky is a client that refuses one device, and takes its time to let go.
type picky struct{}

func (picky) Name() string { return "picky" }

func (picky) Add(_ context.Context, dev *plugin.Device) (any, error) {
	if dev.Info().Name == "mlx5_1" {
		return nil, errors.New("not this one")
	}
	return nil, dev.Emit(context.Background(), plugin.Event{Kind: "seen", Text: "hello"})
}

func (picky) Remove(context.Context, *plugin.Device) error { return nil }

// chatty is a client that answers without end.
type chatty struct {
	picky
	rocev1.UnimplementedRoCEServer
	devices *plugin.Devices
}

func (*chatty) Name() string { return "chatty" }

func (c *chatty) RegisterServices(r grpc.ServiceRegistrar, devices *plugin.Devices) {
	c.devices = devices
	rocev1.RegisterRoCEServer(r, c)
}

func (c *chatty) ListGIDs(req *rocev1.ListGIDsRequest, stream grpc.ServerStreamingServer[rocev1.PortGIDs]) error {
	return c.devices.Use(stream.Context(), req.GetDevice(), func(ctx context.Context, dev *plugin.Device) error {
		for ctx.Err() == nil {
			if err := stream.Send(&rocev1.PortGIDs{Device: strings.Repeat("x", 64<<10)}); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// tree has two devices of one port each.
func tree(t testing.TB) string {
	port := sysfstest.Tree{
		"ports/1/state": "4: ACTIVE\n", "ports/1/link_layer": "Ethernet\n", "node_type": "1: CA\n",
		"ports/1/gids/0": "fe80:0000:0000:0000:5054:00ff:fe12:3456\n", "ports/1/gid_attrs/types/0": "RoCE v2\n",
		"ports/1/gid_attrs/ndevs/0": "eth0\n",
	}
	return sysfstest.Join(port.Under("class/infiniband/mlx5_0"), port.Under("class/infiniband/mlx5_1")).Write(t)
}

// running is a daemon that runs.
type running struct {
	opts         Options
	conf         config.Config // read anew at each load
	confErr      error         // what is wrong with it
	stop, hasten context.CancelFunc
	ended        chan error
	ready        chan struct{}
}

// shortDir is a directory with a path that is short enough for sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ibd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs a daemon on a tree with the named clients; what adjust changes, it
// has changed. It ends with the test.
func start(t testing.TB, adjust func(*running), clients ...string) *running {
	t.Helper()
	dir, root := shortDir(t), tree(t)
	r := &running{ended: make(chan error, 1), ready: make(chan struct{})}
	r.conf.Clients = []config.Client{} // none, instead of all that are built in
	for _, name := range clients {
		r.conf.Clients = append(r.conf.Clients, config.Client{Name: name})
	}
	r.opts = Options{
		Version:   "test",
		Configure: func() (config.Config, error) { return r.conf, r.confErr },
		Builtin:   []string{"roce", "picky", "chatty", "stubborn", "broken"},
		Spec:      func(c config.Client, _ config.Config) (supervisor.Spec, error) { return spec(c, root) },
		Root:      root,
		Socket:    filepath.Join(dir, "s"),
		RunDir:    filepath.Join(dir, "r"),
		place:     testName(t),
		Notify: func(state string) {
			if state == notifyReady {
				close(r.ready)
			}
		},
	}
	if adjust != nil {
		adjust(r)
	}
	var ctx, hasten context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	hasten, r.hasten = context.WithCancel(context.Background())
	go func() { r.ended <- Run(ctx, hasten, r.opts) }()
	t.Cleanup(func() { r.end(t) })
	select {
	case <-r.ready:
	case err := <-r.ended:
		r.ended <- nil
		t.Fatalf("the daemon did not start: %v", err)
	}
	return r
}

func spec(c config.Client, root string) (supervisor.Spec, error) {
	s := supervisor.Spec{Name: c.Name, Path: c.Path}
	if c.Name == roce.Name {
		text, err := json.Marshal(roce.Config{Root: root})
		s.Config = text
		return s, err
	}
	return s, nil
}

// end stops the daemon in order, and returns when it has ended.
func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	r.ended <- nil
	r.hasten()
}

// recheckSoon is for daemons from which things are taken away.
const recheckSoon = 10 * time.Millisecond

// reachable returns when the daemon answers at its socket.
func (r *running) reachable(t testing.TB) {
	t.Helper()
	eventually(t, "the socket to be back", func() bool {
		conn, err := api.Dial(t.Context(), r.opts.Socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	alive(t, r)
}

func (r *running) dial(t testing.TB) *api.Conn {
	t.Helper()
	conn, err := api.Dial(t.Context(), r.opts.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// receive reads a stream to its end.
func receive[T any](t testing.TB, stream grpc.ServerStreamingClient[T], err error) ([]*T, error) {
	t.Helper()
	var all []*T
	for err == nil {
		var m *T
		if m, err = stream.Recv(); err == nil {
			all = append(all, m)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

// events returns what is kept, each as "kind device client error".
func events(t testing.TB, conn *api.Conn) []string {
	t.Helper()
	stream, err := conn.WatchEvents(t.Context(), &apiv1.WatchEventsRequest{Replay: true})
	all, err := receive(t, stream, err)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range all {
		e := m.GetEvent()
		list = append(list, fmt.Sprintf("%s %s %s %s", e.GetKind(), e.GetDevice(), e.GetClient(), e.GetError()))
	}
	return list
}

// eventually waits for something that nobody tells of.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 30 s", what)
		}
	}
}

func itoa(n uint32) string { return fmt.Sprint(n) }
