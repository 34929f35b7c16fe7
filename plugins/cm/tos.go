package cm

import (
	"fmt"
	"strconv"
	"strings"
)

// TOS is an IP type of service: six bits DSCP, two bits ECN (RFC 2474, RFC
// 3168). On RoCE v2 it is the traffic class of the packets.
type TOS uint8

// dscpNames are the code points with a name (RFC 2474, 2597, 3246, 5865, 8622).
var dscpNames = map[string]uint8{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22,
	"af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38,
	"ef": 46, "voice-admit": 44, "le": 1,
}

// ParseTOS reads a type of service: a number from 0 to 255 (106, 0x6a), or a
// DSCP with ECN bits of zero: dscp:26, or its name, af31.
func ParseTOS(text string) (TOS, error) {
	name := strings.ToLower(text)
	if dscp, ok := dscpNames[name]; ok {
		return TOS(dscp << 2), nil
	}
	if number, ok := strings.CutPrefix(name, "dscp:"); ok {
		if dscp, ok := dscpNames[number]; ok {
			return TOS(dscp << 2), nil
		}
		v, err := strconv.ParseUint(number, 0, 8)
		if err != nil || v > 63 {
			return 0, fmt.Errorf("%q is no DSCP: want 0 to 63 or a name such as af31", text)
		}
		return TOS(v << 2), nil
	}
	v, err := strconv.ParseUint(name, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no type of service: want 0 to 255, dscp:0 to dscp:63, or a name such as af31", text)
	}
	return TOS(v), nil
}

// DSCP returns the upper six bits.
func (t TOS) DSCP() uint8 { return uint8(t) >> 2 }

// DSCPName returns the name of the DSCP, such as "AF31", or "" if it has none.
func (t TOS) DSCPName() string {
	for name, v := range dscpNames {
		if v == t.DSCP() {
			return strings.ToUpper(name)
		}
	}
	return ""
}

// ECN returns the lower two bits by their name (RFC 3168).
func (t TOS) ECN() string {
	return [...]string{"Not-ECT", "ECT(1)", "ECT(0)", "CE"}[t&3]
}
