package sysfs

import (
	"bytes"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
)

// The words after the number in the files state, phys_state and node_type, by
// number (sysfs.c: state_show, phys_state_to_str, node_type_show), and the word
// for a number that the kernel has none for.
var (
	stateWords     = words{[]string{"NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER"}, "UNKNOWN"}
	physStateWords = words{[]string{"<unknown>", "Sleep", "Polling", "Disabled", "PortConfigurationTraining", "LinkUp", "LinkErrorRecovery", "Phy Test"}, "<unknown>"}
	nodeTypeWords  = words{[]string{"<unknown>", "CA", "switch", "router", "RNIC", "usNIC", "usNIC UDP", "unspecified"}, "<unknown>"}
)

type words struct {
	byNumber []string
	other    string
}

// parse reads "4: ACTIVE". Number and word must belong together: where they do
// not, neither can be believed.
func (w words) parse(text []byte) (uint8, error) {
	digits, word, found := bytes.Cut(text, []byte(": "))
	n, err := strconv.ParseUint(string(digits), 10, 8)
	if !found || err != nil {
		return 0, nonsense(text)
	}
	want := w.other
	if int(n) < len(w.byNumber) {
		want = w.byNumber[n]
	}
	if string(word) != want {
		return 0, nonsense(text)
	}
	return uint8(n), nil
}

func parsePortState(text []byte) (rdma.PortState, error) {
	n, err := stateWords.parse(text)
	return rdma.PortState(n), err
}

func parsePhysState(text []byte) (rdma.PhysState, error) {
	n, err := physStateWords.parse(text)
	return rdma.PhysState(n), err
}

func parseNodeType(text []byte) (rdma.NodeType, error) {
	n, err := nodeTypeWords.parse(text)
	return rdma.NodeType(n), err
}

// rate is the content of the file of that name.
type rate struct {
	gbps         float64
	width, speed string
}

// parseRate reads "100 Gb/sec (4X EDR)". Kernels before 4.20 leave the speed of
// SDR out: "10 Gb/sec (4X)".
func parseRate(text []byte) (rate, error) {
	number, rest, found := bytes.Cut(text, []byte(" Gb/sec ("))
	inner, closed := bytes.CutSuffix(rest, []byte(")"))
	if !found || !closed {
		return rate{}, nonsense(text)
	}
	width, speed, spaced := bytes.Cut(inner, []byte(" "))
	gbps, err := parseGbps(number)
	if err != nil || !isWidth(width) || spaced && len(speed) == 0 || bytes.ContainsAny(speed, " ()") {
		return rate{}, nonsense(text)
	}
	return rate{gbps, string(width), string(speed)}, nil
}

// parseGbps reads a plain decimal number: no sign, no exponent, not zero.
func parseGbps(digits []byte) (float64, error) {
	for _, c := range digits {
		if c != '.' && (c < '0' || c > '9') {
			return 0, nonsense(digits)
		}
	}
	v, err := strconv.ParseFloat(string(digits), 64)
	if err != nil || v <= 0 {
		return 0, nonsense(digits)
	}
	return v, nil
}

// isWidth tells whether text is a number of lanes: "4X".
func isWidth(text []byte) bool {
	lanes, ok := bytes.CutSuffix(text, []byte("X"))
	n, err := strconv.ParseUint(string(lanes), 10, 8)
	return ok && err == nil && n > 0
}

func parseLinkLayer(text []byte) (rdma.LinkLayer, error) {
	switch l := rdma.LinkLayer(text); l {
	case rdma.LinkLayerInfiniBand, rdma.LinkLayerEthernet, rdma.LinkLayerUnspecified:
		return l, nil
	}
	return "", nonsense(text)
}

func parseGUID(text []byte) (rdma.GUID, error) {
	g, err := rdma.ParseGUID(string(text))
	if err != nil {
		return 0, nonsense(text)
	}
	return g, nil
}

// parseHex reads "0x1a", parseDecimal "26".
func parseHex(text []byte) (uint32, error) {
	digits, ok := bytes.CutPrefix(text, []byte("0x"))
	v, err := strconv.ParseUint(string(digits), 16, 32)
	if !ok || err != nil {
		return 0, nonsense(text)
	}
	return uint32(v), nil
}

func parseDecimal(text []byte) (uint32, error) {
	v, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return 0, nonsense(text)
	}
	return uint32(v), nil
}

// parseLMC reads lid_mask_count: three bits (IBTA 1.5, 4.1.3).
func parseLMC(text []byte) (uint32, error) {
	v, err := parseDecimal(text)
	if err != nil || v > 7 {
		return 0, nonsense(text)
	}
	return v, nil
}

// gidText is the length of a GID as the kernel prints it (%pI6).
const gidText = len("fe80:0000:0000:0000:5054:00ff:fe12:3456")

// parseGID reads a GID. The kernel's own form, of which tables hold thousands,
// goes a fast way; a copied tree may hold another.
func parseGID(text []byte) (rdma.GID, error) {
	var g rdma.GID
	if len(text) == gidText && parseFullGID(&g, text) {
		return g, nil
	}
	g, err := rdma.ParseGID(string(text))
	if err != nil {
		return rdma.GID{}, nonsense(text)
	}
	return g, nil
}

func parseFullGID(g *rdma.GID, text []byte) bool {
	for i := range g {
		at := i*2 + i/2 // two octets, then a colon
		hi, lo := hexValue(text[at]), hexValue(text[at+1])
		if hi|lo > 15 || i%2 == 0 && i > 0 && text[at-1] != ':' {
			return false
		}
		g[i] = hi<<4 | lo
	}
	return true
}

// hexValue returns 255 for what is no hexadecimal digit.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
