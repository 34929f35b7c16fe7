package rdma

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
)

// The names are iproute2's (rdma/dev.c, rdma/link.c), the values the kernel's.
func TestEnumNames(t *testing.T) {
	tests := map[fmt.Stringer]string{
		NodeCA: "ca", NodeSwitch: "switch", NodeRouter: "router", NodeRNIC: "rnic",
		NodeUSNIC: "usnic", NodeUSNICUDP: "usnic_udp", NodeUnspecified: "unspecified",
		NodeType(0): "UNKNOWN(0)", NodeType(8): "UNKNOWN(8)",

		PortNop: "NOP", PortDown: "DOWN", PortInit: "INIT", PortArmed: "ARMED",
		PortActive: "ACTIVE", PortActiveDefer: "ACTIVE_DEFER", PortState(6): "UNKNOWN(6)",

		PhysSleep: "SLEEP", PhysPolling: "POLLING", PhysDisabled: "DISABLED", PhysTraining: "ARMED",
		PhysLinkUp: "LINK_UP", PhysLinkErrorRecovery: "LINK_ERROR_RECOVER", PhysTest: "PHY_TEST",
		PhysOPAOffline: "OPA_OFFLINE", PhysOPATest: "OPA_TEST",
		PhysState(0): "NOP", PhysState(8): "UNKNOWN(8)", PhysState(10): "UNKNOWN(10)", PhysState(255): "UNKNOWN(255)",
	}
	for v, want := range tests {
		if got := v.String(); got != want {
			t.Errorf("%T(%d): got %q, want %q", v, v, got, want)
		}
	}
}

// Every value, named or not, survives being written, in either case of letters.
func TestEnumsRoundTrip(t *testing.T) {
	for i := range 256 {
		roundTrip(t, NodeType(i), new(NodeType))
		roundTrip(t, PortState(i), new(PortState))
		roundTrip(t, PhysState(i), new(PhysState))
	}
}

func roundTrip[T comparable, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, v T, back P) {
	t.Helper()
	text, err := any(v).(encoding.TextMarshaler).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := back.UnmarshalText(text); err != nil || *back != v {
		t.Errorf("%v came back as %v, %v", v, *back, err)
	}
	if strings.HasPrefix(string(text), "UNKNOWN") {
		return
	}
	if err := back.UnmarshalText([]byte(strings.ToLower(string(text)))); err != nil || *back != v {
		t.Errorf("%v in small letters came back as %v, %v", v, *back, err)
	}
}

func TestEnumsRefuse(t *testing.T) {
	tests := []string{"", "1", "nonsense", "UNKNOWN", "UNKNOWN()", "UNKNOWN(256)", "UNKNOWN(-1)", "UNKNOWN(4", "4)", "UNKNOWN(04)", "UNKNOWN(4)"}
	for _, text := range tests { // 4 has a name, and only that one
		for _, v := range []encoding.TextUnmarshaler{new(NodeType), new(PortState), new(PhysState)} {
			if err := v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T took %q for %v", v, text, v)
			}
		}
	}
}
