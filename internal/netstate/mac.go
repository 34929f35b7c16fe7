package netstate

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MAC is a hardware address of six octets.
type MAC [6]byte

// String returns 02:00:00:00:00:0a.
func (m MAC) String() string {
	b := make([]byte, 0, 17)
	for i, octet := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, []byte{octet})
	}
	return string(b)
}

// ParseMAC reads what String writes.
func ParseMAC(text string) (m MAC, err error) {
	octets, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err == nil && len(octets) == len(m) {
		m = MAC(octets)
	}
	if err != nil || m.String() != strings.ToLower(text) {
		return MAC{}, fmt.Errorf("parse MAC %q: want six octets like 02:00:00:00:00:0a", text)
	}
	return m, nil
}

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMAC(string(text))
	return err
}
