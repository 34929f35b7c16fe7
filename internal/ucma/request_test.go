package ucma

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// field is where a request must hold what, by the offsets of rdma_user_cm.h.
type field struct {
	at   int
	want []byte
}

func u8(v uint8) []byte   { return []byte{v} }
func u16(v uint16) []byte { return native.AppendUint16(nil, v) }
func u32(v uint32) []byte { return native.AppendUint32(nil, v) }
func u64(v uint64) []byte { return native.AppendUint64(nil, v) }

func TestRequestsHaveTheKernelsLayout(t *testing.T) {
	const response = 0x1122334455667788
	v4 := netip.MustParseAddrPort("10.1.1.2:14791")
	v6 := netip.MustParseAddrPort("[fe80::1%7]:14791")
	tests := []struct {
		name     string
		req      request
		cmd      command
		in, out  int
		response int // offset of the pointer in the body, -1 for none
		fields   []field
	}{
		{"create", encodeCreateID(0x0102030405060708, PortSpaceTCP), 0, 24, 4, 8,
			[]field{{0, u64(0x0102030405060708)}, {16, u16(0x0106)}, {18, u8(2)}}},
		{"destroy", encodeDestroyID(77), 1, 16, 4, 0, []field{{8, u32(77)}}},
		{"resolve route", encodeResolveRoute(77, 1500), 4, 8, 0, -1, []field{{0, u32(77)}, {4, u32(1500)}}},
		{"query route", encodeQueryRoute(77), 5, 16, 208, 0, []field{{8, u32(77)}}},
		{"connect", encodeConnect(77, ConnectParams{QPN: 1, PrivateData: []byte("abc"), ResponderResources: 2, InitiatorDepth: 3, RetryCount: 4, RNRRetryCount: 5}), 6, 288, 0, -1,
			[]field{{0, u32(1)}, {8, []byte("abc\x00")}, {264, u8(3)}, {266, u8(2)}, {267, u8(3)}, {269, u8(4)}, {270, u8(5)}, {271, u8(1)}, {272, u32(77)}, {280, u64(0)}}},
		{"listen", encodeListen(77, 128), 7, 8, 0, -1, []field{{0, u32(77)}, {4, u32(128)}}},
		{"reject", encodeReject(77, []byte("who")), 9, 264, 0, -1, []field{{0, u32(77)}, {4, u8(3)}, {5, u8(28)}, {8, []byte("who\x00")}}},
		{"get event", encodeGetEvent(), 12, 8, 336, 0, nil},
		{"set tos", encodeSetTOS(77, response), 14, 24, 0, -1,
			[]field{{0, u64(response)}, {8, u32(77)}, {12, u32(0)}, {16, u32(0)}, {20, u32(1)}}},
		{"bind", encodeBind(77, v4), 20, 136, 0, -1,
			[]field{{0, u32(77)}, {4, u16(16)}, {6, u16(0)}, {8, u16(2)}, {10, []byte{0x39, 0xc7, 10, 1, 1, 2}}}},
		{"resolve address", encodeResolveAddr(77, netip.AddrPort{}, v4, 100), 21, 272, 0, -1,
			[]field{{0, u32(77)}, {4, u32(100)}, {8, u16(0)}, {10, u16(16)}, {12, u32(0)}, {16, make([]byte, 128)}, {144, u16(2)}, {146, []byte{0x39, 0xc7, 10, 1, 1, 2}}}},
		{"resolve address 6", encodeResolveAddr(77, v6, v6, 100), 21, 272, 0, -1,
			[]field{{8, u16(28)}, {10, u16(28)}, {16, u16(10)}, {40, u32(7)}, {144, u16(10)}, {152, []byte{0xfe, 0x80}}, {167, u8(1)}, {168, u32(7)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := tt.req.message(response)
			if len(msg) != 8+tt.in {
				t.Fatalf("message of %d octets, want 8+%d", len(msg), tt.in)
			}
			checkField(t, msg, field{0, u32(uint32(tt.cmd))})
			checkField(t, msg, field{4, u16(uint16(tt.in))})
			checkField(t, msg, field{6, u16(uint16(tt.out))})
			if tt.response >= 0 {
				checkField(t, msg, field{8 + tt.response, u64(response)})
			}
			for _, f := range tt.fields {
				checkField(t, msg, field{8 + f.at, f.want})
			}
		})
	}
}

func checkField(t *testing.T, msg []byte, f field) {
	t.Helper()
	if got := msg[f.at : f.at+len(f.want)]; !bytes.Equal(got, f.want) {
		t.Errorf("at %d: % x, want % x", f.at, got, f.want)
	}
}

// A message must not share memory with the request: the same request may be
// written again, as GET_EVENT is.
func TestMessageLeavesTheRequestAlone(t *testing.T) {
	r := encodeGetEvent()
	r.message(1)
	if !bytes.Equal(r.body, make([]byte, sizeGetEvent)) {
		t.Errorf("body became % x", r.body)
	}
}

func TestAddrRoundTrip(t *testing.T) {
	for _, text := range []string{"0.0.0.0:0", "10.1.1.2:14791", "[::]:1", "[2001:db8::7]:65535", "[fe80::1%4294967295]:7"} {
		want := netip.MustParseAddrPort(text)
		b := make([]byte, sizeSockaddr6)
		putAddr(b, want)
		if got, err := parseAddr(b); err != nil || got != want {
			t.Errorf("%s came back as %v, %v", text, got, err)
		}
	}
}

func TestMappedIPv4GoesOutAsIPv4(t *testing.T) {
	b := make([]byte, sizeSockaddr6)
	if n := putAddr(b, netip.MustParseAddrPort("[::ffff:10.1.1.2]:1")); n != sizeSockaddr4 || native.Uint16(b) != 2 {
		t.Errorf("size %d, family %d", n, native.Uint16(b))
	}
}

func TestCheckAddr(t *testing.T) {
	for text, ok := range map[string]bool{"10.1.1.2:0": true, "[fe80::1%3]:0": true, "[fe80::1]:0": true, "[fe80::1%eth0]:0": false} {
		if err := checkAddr(netip.MustParseAddrPort(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := checkAddr(netip.AddrPort{}); err == nil {
		t.Error("no address was accepted")
	}
}

func TestParseAddrRefusesWhatItDoesNotKnow(t *testing.T) {
	short := make([]byte, sizeSockaddr6-1)
	if _, err := parseAddr(short); err == nil {
		t.Error("a short address was accepted")
	}
	ib := make([]byte, sizeSockaddr6)
	native.PutUint16(ib, 27)
	if _, err := parseAddr(ib); err == nil || !strings.Contains(err.Error(), "27") {
		t.Errorf("AF_IB: %v", err)
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[int64]uint32{0: 1, 1: 1, 1_000_000: 1, 1_000_001: 2, 1 << 62: 1<<31 - 1} {
		if got := milliseconds(time.Duration(d)); got != want {
			t.Errorf("%d ns: %d, want %d", d, got, want)
		}
	}
}
