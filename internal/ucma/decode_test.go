package ucma

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
)

var recordedKernels = []string{"6.1", "6.12", "7.3"}

// recorded returns the answers of testdata, by name.
func recorded(t testing.TB, kernel string) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/" + kernel + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]byte{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		name, text, _ := strings.Cut(sc.Text(), " ")
		if out[name], err = hex.DecodeString(text); err != nil {
			t.Fatalf("%s, %s: %v", kernel, name, err)
		}
	}
	return out
}

func mustGID(text string) rdma.GID {
	g, err := rdma.ParseGID(text)
	if err != nil {
		panic(err)
	}
	return g
}

var (
	hostA    = netip.MustParseAddr("10.1.1.1")
	hostB    = netip.MustParseAddr("10.1.1.2")
	gidA     = mustGID("::ffff:10.1.1.1")
	gidB     = mustGID("::ffff:10.1.1.2")
	unsetGID = mustGID("::ffff:0.0.0.0")
)

func TestRecordedRoutes(t *testing.T) {
	tests := []struct {
		name       string
		src, dst   netip.Addr
		bound      bool
		index      uint32
		sgid, dgid rdma.GID
		path       bool
	}{
		{"route-listener", hostB, netip.IPv4Unspecified(), true, 1, gidB, unsetGID, false},
		{"route-unbound", netip.IPv4Unspecified(), netip.IPv4Unspecified(), false, 0, rdma.GID{}, rdma.GID{}, false},
		{"route-address", hostA, hostB, true, 0, gidA, gidB, false},
		{"route-path", hostA, hostB, true, 0, gidA, gidB, true},
		{"route-request", hostB, hostA, true, 1, gidB, gidA, true},
	}
	for _, kernel := range recordedKernels {
		answers := recorded(t, kernel)
		for _, tt := range tests {
			t.Run(kernel+"/"+tt.name, func(t *testing.T) {
				r, err := parseRoute(answers[tt.name])
				if err != nil {
					t.Fatal(err)
				}
				if r.Source.Addr() != tt.src || r.Destination.Addr() != tt.dst {
					t.Errorf("from %v to %v", r.Source, r.Destination)
				}
				if index, known := r.DeviceIndex.Get(); r.Bound != tt.bound || known != tt.bound || index != tt.index {
					t.Errorf("bound %v to device %v", r.Bound, r.DeviceIndex)
				}
				if r.SGID != tt.sgid || r.DGID != tt.dgid {
					t.Errorf("GIDs %v, %v", r.SGID, r.DGID)
				}
				if r.Path.IsKnown() != tt.path {
					t.Errorf("path %+v", r.Path)
				}
			})
		}
	}
}

func TestRecordedPath(t *testing.T) {
	for _, kernel := range recordedKernels {
		r, err := parseRoute(recorded(t, kernel)["route-path"])
		if err != nil {
			t.Fatal(err)
		}
		p, _ := r.Path.Get()
		if p.MTU.Or(0) != 1024 || p.HopLimit != 64 || p.PKey != 0xffff || p.TrafficClass != 0 || p.FlowLabel == 0 || p.FlowLabel >= 1<<20 {
			t.Errorf("%s: %+v", kernel, p)
		}
		if r.Port != 1 || r.NodeGUID == 0 {
			t.Errorf("%s: port %d, node GUID %v", kernel, r.Port, r.NodeGUID)
		}
	}
}

// A kernel that is older than ibdev_index writes the first 200 octets only.
func TestRouteWithoutDeviceIndex(t *testing.T) {
	answer := encodeQueryRoute(1).response
	copy(answer[:routeIndexAt], recorded(t, "6.1")["route-path"])
	r, err := parseRoute(answer)
	if err != nil || !r.Bound || r.DeviceIndex.IsKnown() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRecordedEvents(t *testing.T) {
	tests := []struct {
		name    string
		typ     EventType
		err     error
		status  int32
		qpn     uint32
		data    string
		dataLen int
	}{
		{"event-address-resolved", EventAddrResolved, nil, 0, 0, "", 0},
		{"event-route-resolved", EventRouteResolved, nil, 0, 0, "", 0},
		{"event-request", EventConnectRequest, nil, 0, 1, "hello", MaxConnectData},
		{"event-rejected-by-consumer", EventRejected, nil, int32(RejectConsumer), 0, "it is me", MaxRejectData},
		{"event-rejected-no-listener", EventRejected, nil, int32(RejectNoListener), 0, "", MaxRejectData},
		{"event-address-error", EventAddrError, unix.ETIMEDOUT, -110, 0, "", 0},
	}
	for _, kernel := range recordedKernels {
		answers := recorded(t, kernel)
		for _, tt := range tests {
			t.Run(kernel+"/"+tt.name, func(t *testing.T) {
				e, err := parseEvent(answers[tt.name])
				if err != nil {
					t.Fatal(err)
				}
				if e.Type != tt.typ || e.Status != tt.status || e.QPN != tt.qpn || e.UID == 0 {
					t.Errorf("%+v", e)
				}
				if !errors.Is(e.Err(), tt.err) {
					t.Errorf("error %v, want %v", e.Err(), tt.err)
				}
				if len(e.PrivateData) != tt.dataLen || !bytes.HasPrefix(e.PrivateData, []byte(tt.data)) {
					t.Errorf("private data of %d octets: %q", len(e.PrivateData), e.PrivateData)
				}
			})
		}
	}
}

// The caller keeps an event while the buffer is used again.
func TestEventKeepsItsPrivateData(t *testing.T) {
	answer := recorded(t, "7.3")["event-request"]
	e, err := parseEvent(answer)
	if err != nil {
		t.Fatal(err)
	}
	clear(answer)
	if !bytes.HasPrefix(e.PrivateData, []byte("hello")) {
		t.Errorf("private data became %q", e.PrivateData)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		EventRejected.String():    "REJECTED",
		EventType(99).String():    "EVENT(99)",
		RejectNoListener.String(): "invalid service id",
		RejectReason(34).String(): "reason 34",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzParseRoute(f *testing.F) {
	for _, kernel := range recordedKernels {
		for name, answer := range recorded(f, kernel) {
			if strings.HasPrefix(name, "route-") {
				f.Add(answer)
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRoute(b)
		if err != nil {
			return
		}
		if mtu, known := func() (uint32, bool) { p, _ := r.Path.Get(); return p.MTU.Get() }(); known && (mtu < 256 || mtu > 4096) {
			t.Errorf("path MTU %d", mtu)
		}
		if !r.Bound && (r.Path.IsKnown() || r.DeviceIndex.IsKnown()) {
			t.Errorf("bound to nothing, yet %+v", r)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	for _, kernel := range recordedKernels {
		for name, answer := range recorded(f, kernel) {
			if strings.HasPrefix(name, "event-") {
				f.Add(answer)
			}
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEvent(b)
		if err == nil && len(e.PrivateData) > maxPrivateData {
			t.Errorf("private data of %d octets", len(e.PrivateData))
		}
	})
}

func FuzzAddr(f *testing.F) {
	f.Add(uint16(2), []byte{10, 1, 1, 2}, uint16(7))
	f.Add(uint16(10), make([]byte, 16), uint16(7))
	f.Fuzz(func(t *testing.T, family uint16, ip []byte, port uint16) {
		b := make([]byte, sizeSockaddr6)
		native.PutUint16(b, family)
		copy(b[2:], ip)
		a, err := parseAddr(b)
		if err != nil || !a.IsValid() {
			return
		}
		out := make([]byte, sizeSockaddr6)
		putAddr(out, a)
		if again, err := parseAddr(out); err != nil || again.Addr().Unmap() != a.Addr().Unmap() || again.Port() != a.Port() {
			t.Errorf("%v came back as %v, %v", a, again, err)
		}
	})
}
