package rdma

import (
	"fmt"
	"strconv"
	"strings"
)

// GUID is a 64-bit EUI-64 identifier (IBTA 1.5, 4.1.1), held as the number it
// is: bits 63..56 are the first octet as people write it.
type GUID uint64

// String returns the form that sysfs uses: 248a:0703:00a5:29d0.
func (g GUID) String() string {
	return fmt.Sprintf("%04x:%04x:%04x:%04x", uint16(g>>48), uint16(g>>32), uint16(g>>16), uint16(g))
}

// MarshalText implements encoding.TextMarshaler.
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *GUID) UnmarshalText(text []byte) error {
	v, err := ParseGUID(string(text))
	if err != nil {
		return err
	}
	*g = v
	return nil
}

// ParseGUID reads a GUID as the field writes it: 248a:0703:00a5:29d0,
// 0x248a070300a529d0, 248a070300a529d0 or 24:8a:07:03:00:a5:29:d0.
func ParseGUID(text string) (GUID, error) {
	digits := guidDigits(text)
	if len(digits) != 16 {
		return 0, fmt.Errorf("parse GUID %q: want 16 hexadecimal digits", text)
	}
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("parse GUID %q: not hexadecimal", text)
	}
	return GUID(v), nil
}

// guidDigits strips the prefix and the colons, where the colons part equal
// groups of two or four digits; anything else comes back as it was, or empty.
func guidDigits(text string) string {
	if rest, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		return rest
	}
	groups := strings.Split(text, ":")
	switch len(groups) {
	case 1:
		return text
	case 4, 8:
	default:
		return ""
	}
	for _, g := range groups {
		if len(g)*len(groups) != 16 {
			return ""
		}
	}
	return strings.Join(groups, "")
}
