package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// Fifty callers at once all get their answers, while a client comes and goes.
func TestManyCallers(t *testing.T) {
	r := start(t, nil, "roce")
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() {
			if err := askEverything(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	conn := r.dial(t)
	for range 3 {
		if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "picky"}); err != nil {
			t.Error(err)
		}
		if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: "picky"}); err != nil {
			t.Error(err)
		}
	}
	asking.Wait()
}

// askEverything is a caller with a connection of its own.
func askEverything(ctx context.Context, r *running) error {
	conn, err := api.Dial(ctx, r.opts.Socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 5 {
		list, err := conn.ListDevices(ctx, &apiv1.ListDevicesRequest{Full: true})
		if err != nil || len(list.GetDevices()) != 2 {
			return fmt.Errorf("devices %v, %w", list, err)
		}
		if _, err := conn.ListClients(ctx, &apiv1.ListClientsRequest{}); err != nil {
			return err
		}
		for _, d := range list.GetDevices() {
			stream, err := rocev1.NewRoCEClient(conn.Client("roce")).ListGIDs(ctx, &rocev1.ListGIDsRequest{Device: d.GetId()})
			if err != nil {
				return err
			}
			if table, err := stream.Recv(); err != nil || len(table.GetGids()) != 1 {
				return fmt.Errorf("%s: %v, %w", d.GetDevice().GetName(), table, err)
			}
		}
	}
	return nil
}

// watched is a daemon of nothing but a journal and a socket.
func watched(t *testing.T, size int) (d *daemon, server *grpc.Server, path string) {
	t.Helper()
	d = &daemon{Options: Options{}.withDefaults(), journal: journal.New(size)}
	path = filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server = d.newServer(rights{own: uint32(os.Geteuid()), gid: -1, log: d.Log})
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-serving; err != nil {
			t.Error(err)
		}
	})
	return d, server, path
}

// Who watches and does not read costs what its connection holds, and no more: the
// journal goes on without it, others read on, and the end does not wait.
func TestSlowWatcherHoldsUpNobody(t *testing.T) {
	d, server, path := watched(t, 100)
	watch := func(req *apiv1.WatchEventsRequest) grpc.ServerStreamingClient[apiv1.WatchEventsResponse] {
		conn, err := api.Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		stream, err := conn.WatchEvents(t.Context(), req)
		if err == nil {
			_, err = stream.Header()
		}
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	flood := func() {
		for range 20_000 {
			d.journal.Append(journal.Event{Kind: journal.HostUnreadable, Error: strings.Repeat("x", 1000)})
		}
	}
	slow := watch(&apiv1.WatchEventsRequest{Follow: true})
	flood()
	before := heap()
	flood()
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("after twice as many events it takes %d octets more", grown)
	}
	if kept, err := receive(t, watch(&apiv1.WatchEventsRequest{Replay: true}), nil); err != nil || len(kept) != 100 {
		t.Errorf("%d events are kept, %v; want 100", len(kept), err)
	}
	var missed uint64
	for missed == 0 {
		m, err := slow.Recv()
		if err != nil {
			t.Fatalf("nobody told it what it missed: %v", err)
		}
		missed = m.GetMissed()
	}
	flood() // it does not read these either
	d.journal.Close()
	began := time.Now()
	d.sayFarewell(server)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the end took %v", took)
	}
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A configuration that has become nonsense is said so to whoever has it read, and
// changes nothing.
func TestLoadWithABrokenConfiguration(t *testing.T) {
	r := start(t, nil, "roce")
	conn := r.dial(t)
	pid := pidOf(t, r, "roce")
	for _, tt := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{&config.Error{Path: "ibctl.yaml", Problems: []config.Problem{{Line: 3, Text: "gruop: unknown key"}, {Line: 9, Text: "want a text"}}},
			codes.InvalidArgument, "ibctl.yaml: line 3: gruop: unknown key\nibctl.yaml: line 9: want a text"},
		{fmt.Errorf("%w: ibctl.yaml is owned by user 1000", config.ErrRefused), codes.PermissionDenied, "owned by user 1000"},
	} {
		r.confErr = tt.err
		_, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "picky"})
		if status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: told %v", tt.err, err)
		}
	}
	r.confErr = nil
	if now := pidOf(t, r, "roce"); now != pid {
		t.Errorf("the client's process is %d, and was %d", now, pid)
	}
	if _, err := conn.LoadClient(t.Context(), &apiv1.LoadClientRequest{Name: "picky"}); err != nil {
		t.Errorf("with a configuration that makes sense again: %v", err)
	}
}
