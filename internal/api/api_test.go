package api_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/journal"
)

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestDialNobody(t *testing.T) {
	path := socketPath(t)
	if _, err := api.Dial(t.Context(), path); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if _, err := api.Dial(t.Context(), path); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("a socket that nobody listens on: %v", err)
	}
	if os.Geteuid() == 0 {
		return // root may connect to anything
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Dial(t.Context(), path); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a socket of others: %v", err)
	}
}

// The daemon does not wait for long for who connects and says nothing: a connection
// speaks up before it is used.
func TestDialSpeaksUp(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := api.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	const preface = "PRI * HTTP/2.0"
	_ = there.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, len(preface))
	if _, err := io.ReadFull(there, buf); err != nil || string(buf) != preface {
		t.Errorf("%q, %v", buf, err)
	}
}

func TestPeerOf(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for what, conn := range map[string]net.Conn{"who connects": in, "who listens": out} {
		p, err := api.PeerOf(conn)
		if err != nil || int(p.UID) != os.Geteuid() || int(p.GID) != os.Getegid() || int(p.PID) != os.Getpid() {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	p, err := api.PeerOf(in)
	for _, g := range groups {
		if !p.In(uint32(g)) {
			t.Errorf("not in group %d: %+v, %v", g, p, err)
		}
	}
	if p.In(4242424) {
		t.Errorf("in a group that is not ours: %+v", p)
	}
}

func TestPeerOfSomethingElse(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if p, err := api.PeerOf(a); err == nil {
		t.Errorf("a pipe has a peer: %+v", p)
	}
}

// A frame comes out as it went in, and other messages as gRPC has them.
func TestCodec(t *testing.T) {
	c := api.Codec()
	wire, err := c.Marshal(&apiv1.UnloadClientRequest{Name: "roce"})
	if err != nil {
		t.Fatal(err)
	}
	text := wire.Materialize()
	var f api.Frame
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(text)}, &f); err != nil {
		t.Fatal(err)
	}
	again, err := c.Marshal(&f)
	if err != nil || !bytes.Equal(again.Materialize(), text) {
		t.Errorf("%x, %v; want %x", again.Materialize(), err, text)
	}
	var back apiv1.UnloadClientRequest
	if err := c.Unmarshal(again, &back); err != nil || back.GetName() != "roce" {
		t.Errorf("%v, %v", &back, err)
	}
}

func TestEventRoundTrip(t *testing.T) {
	full := journal.Event{
		Seq: 7, Time: time.Unix(1700000000, 123456789), Kind: "device-changed", Device: "rxe0", Index: rdma.Known(uint32(3)),
		Generation: 9, OldName: "rxe1", Client: "roce", PID: 42, TookMS: rdma.Known(1.5), Changes: []string{"info"},
		Differences: []journal.Difference{{Port: 1, Field: "state", Old: []byte(`"DOWN"`)}},
		Holders:     []string{"a"}, Report: "seen", Text: "hello", Attributes: map[string]string{"k": "v"}, Error: "no",
	}
	for _, e := range []journal.Event{full, {Time: time.Unix(0, 0)}} {
		if got := apiv1.NewEvent(e).Journal(); !reflect.DeepEqual(got, e) {
			t.Errorf("got  %+v\nwant %+v", got, e)
		}
	}
	fields := reflect.ValueOf(full)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("the test says nothing of %s", fields.Type().Field(i).Name)
		}
	}
}
