package core

import "strings"

// Change is a set of things that may have changed about a device.
type Change uint8

const (
	// ChangeName means that the device was renamed; see [Registry.Rename].
	ChangeName Change = 1 << iota
	// ChangeInfo means that [Device].Info was replaced; see [Registry.Update].
	ChangeInfo
	// ChangeGIDs means that a port's GID table may have changed.
	ChangeGIDs
	// ChangeNetdev means that a netdev behind a port, one stacked on it (VLAN,
	// bond, macvlan), or one of their addresses may have changed.
	ChangeNetdev
)

var changeNames = [...]string{"name", "info", "gids", "netdev"}

// String returns the set as "gids,netdev".
func (c Change) String() string {
	var set []string
	for i, name := range changeNames {
		if c&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, ",")
}

// MarshalText implements encoding.TextMarshaler.
func (c Change) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
