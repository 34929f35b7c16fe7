package counters

import (
	"slices"
	"strings"
)

// Unit is what a counter counts; empty where the name does not tell, which is
// events of some kind as a rule.
type Unit string

const (
	Octets  Unit = "octets"
	Packets Unit = "packets"
	// Ticks are of no fixed length: the time for which a port had data and could
	// not send it (IBTA 16.1.3.5, PortXmitWait).
	Ticks Unit = "ticks"
)

// unitOf goes by what drivers name their counters, word by word.
func unitOf(name string) Unit {
	switch name {
	case "port_rcv_data", "port_xmit_data":
		return Octets
	case "port_xmit_wait":
		return Ticks
	}
	switch words := wordsOf(name); {
	case anyOf(words, "bytes", "octets"), endsIn(name, "Octets"):
		return Octets
	case anyOf(words, "packets", "pkts", "pkt"), endsIn(name, "Pkts"):
		return Packets
	}
	return ""
}

// errorWords are those by which drivers say that what they count should not be.
var errorWords = []string{
	"err", "errs", "error", "errors", "discard", "discards", "discarded", "drop", "drops", "dropped", "nak", "naks",
	"timeout", "timeouts", "overrun", "overflow", "violation", "violations", "exceeded", "downed", "retry", "retries",
	"retrans", "retransmit", "retransmits", "retransmission", "duplicate", "dup", "rnr", "invalid", "fail", "failed",
	"failures", "missing", "bad", "unrecoverable", "icrc", "oos",
}

// countsErrors tells whether a counter of that name counts what went wrong, in
// the widest sense: a retry may have mended it.
func countsErrors(name string) bool {
	switch {
	case strings.HasPrefix(name, "out_of_"): // out_of_buffer, out_of_sequence, out_of_seq_request
		return true
	case anyOf(wordsOf(name), errorWords...):
		return true
	}
	return endsIn(name, "Errors") || endsIn(name, "Discards") || endsIn(name, "Retrans") || endsIn(name, "RetransSegs")
}

func wordsOf(name string) []string { return strings.Split(strings.ToLower(name), "_") }

func anyOf(words []string, wanted ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(wanted, w) })
}

// endsIn is for drivers that name counters as SNMP does: ip4InOctets.
func endsIn(name, end string) bool { return strings.HasSuffix(name, end) }
