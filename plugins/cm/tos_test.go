package cm

import "testing"

func TestParseTOS(t *testing.T) {
	for text, want := range map[string]TOS{
		"0": 0, "106": 106, "0x6a": 106, "0152": 106, "255": 255,
		"dscp:26": 104, "DSCP:0": 0, "dscp:63": 252, "af31": 104, "EF": 184, "dscp:cs3": 96,
	} {
		if got, err := ParseTOS(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "256", "-1", "1.5", "high", "dscp:", "dscp:64", "dscp:af99", "af31 "} {
		if got, err := ParseTOS(text); err == nil {
			t.Errorf("%q became %d", text, got)
		}
	}
}

func TestTOSParts(t *testing.T) {
	tests := []struct {
		tos  TOS
		dscp uint8
		name string
		ecn  string
	}{
		{0, 0, "CS0", "Not-ECT"}, {106, 26, "AF31", "ECT(0)"}, {105, 26, "AF31", "ECT(1)"}, {107, 26, "AF31", "CE"}, {252, 63, "", "Not-ECT"},
	}
	for _, tt := range tests {
		if tt.tos.DSCP() != tt.dscp || tt.tos.DSCPName() != tt.name || tt.tos.ECN() != tt.ecn {
			t.Errorf("%d: DSCP %d %q, ECN %s", tt.tos, tt.tos.DSCP(), tt.tos.DSCPName(), tt.tos.ECN())
		}
	}
}
