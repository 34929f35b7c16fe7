package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// alive fails the test if the daemon does not answer any more.
func alive(t testing.TB, r *running) {
	t.Helper()
	conn, err := api.Dial(t.Context(), r.opts.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if list, err := conn.ListDevices(ctx, &apiv1.ListDevicesRequest{}); err != nil || len(list.GetDevices()) != 2 {
		t.Fatalf("devices %v, %v", list, err)
	}
}

func TestRights(t *testing.T) {
	const reading, changing = "/ibctl.api.v1.Daemon/ListDevices", "/ibctl.api.v1.Daemon/UnloadClient"
	withGroup := rights{own: 0, gid: 100, log: slog.New(slog.DiscardHandler)}
	without := withGroup
	without.gid = -1
	tests := []struct {
		what   string
		rights rights
		peer   api.Peer
		method string
		want   codes.Code
	}{
		{"root changes", withGroup, api.Peer{}, changing, codes.OK},
		{"root reads", without, api.Peer{}, reading, codes.OK},
		{"a member by its group reads", withGroup, api.Peer{UID: 1, GID: 100}, reading, codes.OK},
		{"a member by another group reads", withGroup, api.Peer{UID: 1, GID: 1, Groups: []uint32{5, 100}}, reading, codes.OK},
		{"a member changes", withGroup, api.Peer{UID: 1, GID: 100}, changing, codes.PermissionDenied},
		{"a member drains", withGroup, api.Peer{UID: 1, GID: 100}, "/ibctl.api.v1.Daemon/Drain", codes.PermissionDenied},
		{"a member undrains", withGroup, api.Peer{UID: 1, GID: 100}, "/ibctl.api.v1.Daemon/Undrain", codes.PermissionDenied},
		{"a member calls what is unknown", withGroup, api.Peer{UID: 1, GID: 100}, "/acme.v1.Acme/Read", codes.PermissionDenied},
		{"a stranger reads", withGroup, api.Peer{UID: 1, GID: 1}, reading, codes.PermissionDenied},
		{"a user reads where there is no group", without, api.Peer{UID: 1, GID: 1}, reading, codes.PermissionDenied},
		{"root's group is no group", without, api.Peer{UID: 1, GID: 0}, reading, codes.PermissionDenied},
	}
	for _, tt := range tests {
		ctx := peer.NewContext(t.Context(), &peer.Peer{AuthInfo: tt.peer})
		if err := tt.rights.admit(ctx, tt.method); status.Code(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	if err := withGroup.admit(t.Context(), reading); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
}

// Every method has been thought of: what is not marked as reading is for root.
func TestWhatIsReading(t *testing.T) {
	reading := map[string]bool{"Hello": true, "ListDevices": true, "ListClients": true, "WatchEvents": true}
	methods := apiv1.File_internal_api_apiv1_daemon_proto.Services().Get(0).Methods()
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		if got := api.ReadOnly("/ibctl.api.v1.Daemon/" + name); got != reading[name] {
			t.Errorf("%s: reading %v, want %v", name, got, reading[name])
		}
	}
	for _, method := range []string{"", "/", "//", "/ibctl.api.v1.Daemon", "/ibctl.api.v1.Daemon/", "/ibctl.api.v1.Hello/Request", "ibctl.api.v1.HelloRequest", "/\x00/\xff"} {
		if api.ReadOnly(method) {
			t.Errorf("%q is reading", method)
		}
	}
}

func TestOversizedRequest(t *testing.T) {
	r := start(t, nil, "roce")
	conn := r.dial(t)
	long := strings.Repeat("x", api.MaxRequest+1)
	if _, err := conn.UnloadClient(t.Context(), &apiv1.UnloadClientRequest{Name: long}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
	stream, err := rocev1.NewRoCEClient(conn.Client(strings.Repeat("x", headerOctets))).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{})
	if _, err = receive(t, stream, err); err == nil {
		t.Error("a header that is too long is taken")
	}
	alive(t, r)
}

// crowded opens connections until one is closed at once.
func TestTooManyConnections(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: shortDir(t) + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(l, 0)
	for range connectionsEach {
		if !c.enter(1000) {
			t.Fatal("turned away too early")
		}
	}
	if c.enter(1000) {
		t.Error("one too many is let in")
	}
	for uid := uint32(1001); uid < 1001+(connectionsAll/connectionsEach)-1; uid++ {
		for range connectionsEach {
			if !c.enter(uid) {
				t.Fatalf("user %d is turned away", uid)
			}
		}
	}
	if c.enter(2000) {
		t.Error("too many users are let in")
	}
	c.leave(1000)
	if !c.enter(2000) {
		t.Error("no room after one has left")
	}
	_ = l.Close()
}

// A caller that does not read its answer keeps no client from letting go.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	r := start(t, nil, "chatty")
	conn := r.dial(t)
	list, err := conn.ListDevices(t.Context(), &apiv1.ListDevicesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := rocev1.NewRoCEClient(conn.Client("chatty")).ListGIDs(t.Context(), &rocev1.ListGIDsRequest{Device: list.GetDevices()[0].GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // the answer has begun
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // it fills what room there is
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	other := r.dial(t)
	if _, err := other.UnloadClient(ctx, &apiv1.UnloadClientRequest{Name: "chatty"}); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(t, stream, nil); err == nil {
		t.Error("an endless answer has ended well")
	}
	for _, e := range events(t, other) {
		if strings.Contains(e, "plugin-failed") || strings.HasPrefix(e, "client-removed mlx5_0 chatty ") && e != "client-removed mlx5_0 chatty " {
			t.Errorf("the client paid for it: %s", e)
		}
	}
}

// FuzzSocket writes anything to the socket, as anybody with access may.
func FuzzSocket(f *testing.F) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	f.Add([]byte(preface))
	f.Add([]byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // SETTINGS
	f.Add([]byte(preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\xff\xff\xff\x00\x01\x00\x00\x00\x01"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	r := start(f, nil, "roce")
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("unix", r.opts.Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(data); err == nil {
			_ = conn.(*net.UnixConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}
		alive(t, r)
	})
}

// FuzzRequest sends any request to any method, of the daemon or of a client.
func FuzzRequest(f *testing.F) {
	f.Add("/ibctl.api.v1.Daemon/Hello", "", []byte{})
	f.Add("/ibctl.api.v1.Daemon/WatchEvents", "", []byte{8, 1})
	f.Add("/ibctl.api.v1.Daemon/ListDevices", "roce", []byte{8, 1})
	f.Add("/ibctl.roce.v1.RoCE/ListGIDs", "roce", []byte{10, 2, 8, 1})
	f.Add("/ibctl.plugin.v1.Plugin/Device", "roce", []byte{})
	f.Add("/plugin.GRPCController/Shutdown", "roce", []byte{})
	r := start(f, nil, "roce")
	conn := r.dial(f)
	f.Fuzz(func(t *testing.T, method, client string, request []byte) {
		if strings.HasSuffix(method, "/UnloadClient") && bytes.Contains(request, []byte("roce")) {
			return // that is what it is for
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, api.ClientKey, client)
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodecV2(api.Codec()))
		if err == nil {
			_ = stream.SendMsg(api.NewFrame(request))
			_ = stream.CloseSend()
			for err == nil {
				err = stream.RecvMsg(new(api.Frame))
			}
		}
		alive(t, r)
		if pid := pidOf(t, r, "roce"); syscall.Kill(pid, 0) != nil {
			t.Errorf("the client's process %d is gone", pid)
		}
	})
}

func pidOf(t testing.TB, r *running, client string) int {
	t.Helper()
	conn, err := api.Dial(t.Context(), r.opts.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply, err := conn.ListClients(t.Context(), &apiv1.ListClientsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reply.GetClients() {
		if c.GetName() == client && c.GetRestarts() == 0 {
			return int(c.GetPid())
		}
	}
	t.Fatalf("client %s does not run as it did: %v", client, reply)
	return os.Getpid()
}
