package nldev

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var resKernels = []string{"6.1", "6.12", "7.3"}

// recordedRes returns the recorded answers to an operation: of rxea, then of rxeb.
func recordedRes(t testing.TB, kernel, op string) [][]byte {
	t.Helper()
	f, err := os.Open("testdata/res/" + kernel + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all [][]byte
	sc := bufio.NewScanner(f)
	for sc.Buffer(nil, 1<<20); sc.Scan(); {
		name, text, _ := strings.Cut(sc.Text(), " ")
		if name != op {
			continue
		}
		payload, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, payload)
	}
	if len(all) != 2 {
		t.Fatalf("%d recorded answers to %s on %s", len(all), op, kernel)
	}
	return all
}

func decodeCMIDs(payload []byte) ([]CMID, error) {
	var all []CMID
	err := eachEntry(payload, attrResCMID, func(entry []byte) error {
		id, err := decode[CMID](entry)
		if err == nil {
			all = append(all, id)
		}
		return err
	})
	return all, err
}

func decodeQPs(payload []byte) ([]QP, error) {
	var all []QP
	err := eachEntry(payload, attrResQP, func(entry []byte) error {
		qp, err := decodeQP(entry)
		if err == nil {
			all = append(all, qp)
		}
		return err
	})
	return all, err
}

// byState picks the id in that state whose source has that port, or any.
func byState(t *testing.T, ids []CMID, state string, port uint16) CMID {
	t.Helper()
	for _, id := range ids {
		if s, _ := id.State.Get(); s.String() == state && (port == 0 || id.Source.IP.Port() == port) {
			return id
		}
	}
	t.Fatalf("no id is in state %s on port %d: %+v", state, port, ids)
	return CMID{}
}

func TestRecordedCMIDs(t *testing.T) {
	for _, kernel := range resKernels {
		t.Run(kernel, func(t *testing.T) {
			answers := recordedRes(t, kernel, "CM_ID")
			a, errA := decodeCMIDs(answers[0])
			b, errB := decodeCMIDs(answers[1])
			if errA != nil || errB != nil || len(a) != 3 || len(b) != 3 {
				t.Fatalf("rxea: %d ids, %v; rxeb: %d ids, %v", len(a), errA, len(b), errB)
			}
			checkConnection(t, byState(t, a, "CONNECT", 0), byState(t, b, "CONNECT", 0))
			checkListeners(t, a)
		})
	}
}

func checkConnection(t *testing.T, client, server CMID) {
	t.Helper()
	if client.Source != server.Destination || client.Destination != server.Source {
		t.Errorf("client %v → %v, server %v → %v", client.Source, client.Destination, server.Source, server.Destination)
	}
	if want := netip.MustParseAddrPort("10.1.1.2:7174"); client.Destination.IP != want {
		t.Errorf("destination %v, want %v", client.Destination, want)
	}
	for _, id := range []CMID{client, server} {
		qpType, _ := id.QPType.Get()
		ps, _ := id.PortSpace.Get()
		if id.Port.Or(0) != 1 || id.LQPN.Or(0) != 17 || qpType.String() != "RC" || ps.String() != "TCP" || !id.IDN.IsKnown() {
			t.Errorf("%+v", id)
		}
		if !id.Owner.PID.IsKnown() || id.Owner.Kernel != "" {
			t.Errorf("owner %+v", id.Owner)
		}
	}
}

func checkListeners(t *testing.T, ids []CMID) {
	t.Helper()
	any := byState(t, ids, "LISTEN", 7999)
	if any.Source.String() != "0.0.0.0:7999" || any.Port.IsKnown() || any.LQPN.IsKnown() || any.Destination != (Endpoint{}) {
		t.Errorf("listener on any address: %+v", any)
	}
	local := byState(t, ids, "LISTEN", 7175).Source.IP.Addr()
	if !local.IsLinkLocalUnicast() || local.Zone() != "3" {
		t.Errorf("listener on a link-local address: %v", local)
	}
}

func TestRecordedQPs(t *testing.T) {
	for _, kernel := range resKernels {
		qps, err := decodeQPs(recordedRes(t, kernel, "QP")[0])
		if err != nil || len(qps) != 2 {
			t.Fatalf("%s: %d QPs, %v", kernel, len(qps), err)
		}
		rc, gsi := qps[0], qps[1]
		if state, _ := rc.State.Get(); rc.LQPN != 17 || rc.RQPN.Or(0) != 17 || state.String() != "RTS" || !rc.RQPSN.IsKnown() || !rc.PDN.IsKnown() || !rc.Owner.PID.IsKnown() {
			t.Errorf("%s: %+v", kernel, rc)
		}
		if typ, _ := gsi.Type.Get(); gsi.LQPN != 1 || typ.String() != "GSI" || gsi.RQPN.IsKnown() || gsi.Owner.PID.IsKnown() || gsi.Owner.Kernel != "ib_core" {
			t.Errorf("%s: %+v", kernel, gsi)
		}
	}
}

// attrBytes builds one attribute.
func attrBytes(typ uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func sockaddr(family uint16, rest ...byte) []byte {
	b := append(binary.NativeEndian.AppendUint16(nil, family), rest...)
	return append(b, make([]byte, sizeSockaddrStorage-len(b))...)
}

func TestEndpoints(t *testing.T) {
	ib := sockaddr(afIB, slices.Concat(make([]byte, 6), []byte{0xfe, 0x80, 13: 0, 14: 0, 15: 9}, []byte{0, 0, 0, 0, 1, 6, 0x1c, 0x06})...)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"none", sockaddr(0), ""},
		{"IPv4", sockaddr(2, 0x1c, 0x06, 10, 1, 1, 2), "10.1.1.2:7174"},
		{"IPv6", sockaddr(10, slices.Concat([]byte{0x1c, 0x06, 0, 0, 0, 0, 0xfe, 0x80}, make([]byte, 13), []byte{1, 3})...), "[fe80::1%3]:7174"},
		{"AF_IB", ib, "fe80:0000:0000:0000:0000:0000:0000:0009 sid 0x0000000001061c06"},
		{"a later family", sockaddr(200, 1, 2, 3), ""},
	}
	for _, tt := range tests {
		var e Endpoint
		if err := intoEndpoint(&e, attr{attrResSrcAddr, tt.data}); err != nil || e.String() != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, e, err, tt.want)
		}
	}
	var e Endpoint
	if err := intoEndpoint(&e, attr{attrResSrcAddr, make([]byte, 28)}); !errors.Is(err, ErrMalformed) {
		t.Errorf("a short address: %v", err)
	}
}

// An entry that makes no sense costs itself alone.
func TestBadEntryHidesNoOther(t *testing.T) {
	bad := attrBytes(attrResCMID+1, attrBytes(attrResSrcAddr, []byte{1, 2}))
	good := attrBytes(attrResCMID+1, attrBytes(attrResCMIDN, []byte{7, 0, 0, 0}))
	ids, err := decodeCMIDs(attrBytes(attrResCMID, slices.Concat(bad, good)))
	if !errors.Is(err, ErrMalformed) || len(ids) != 1 || !ids[0].IDN.IsKnown() {
		t.Errorf("%+v, %v", ids, err)
	}
}

func TestQPWithoutNumberIsMalformed(t *testing.T) {
	entry := attrBytes(attrResQP+1, attrBytes(attrPortIndex, []byte{1, 0, 0, 0}))
	if qps, err := decodeQPs(attrBytes(attrResQP, entry)); !errors.Is(err, ErrMalformed) || len(qps) != 0 {
		t.Errorf("%+v, %v", qps, err)
	}
}

func TestNamesOfLaterKernels(t *testing.T) {
	for got, want := range map[string]string{
		CMState(99).String():     "UNKNOWN(99)",
		QPType(7).String():       "UNKNOWN(7)",
		QPState(9).String():      "UNKNOWN(9)",
		PortSpace(0x77).String(): "UNKNOWN(0x77)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzResources(f *testing.F) {
	for _, kernel := range resKernels {
		for _, op := range []string{"CM_ID", "QP"} {
			for _, payload := range recordedRes(f, kernel, op) {
				f.Add(payload)
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		ids, err := decodeCMIDs(payload)
		checkFuzzed(t, err)
		for _, id := range ids {
			if id.Source.HasGID && id.Source.IP.IsValid() {
				t.Errorf("an end with two addresses: %+v", id)
			}
		}
		_, err = decodeQPs(payload)
		checkFuzzed(t, err)
	})
}

func checkFuzzed(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
}
