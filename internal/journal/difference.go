package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
)

// Difference is one value of a device that is not what it was. Old and New are
// JSON, as in a DeviceList document; absent means unknown, or that the port is
// not there.
type Difference struct {
	// Port is the port's number; 0 where the value is the device's own.
	Port  uint32          `json:"port,omitzero"`
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
}

// String returns "port 1 state: ACTIVE → DOWN".
func (d Difference) String() string {
	field := d.Field
	if d.Port > 0 {
		field = fmt.Sprintf("port %d %s", d.Port, d.Field)
	}
	return fmt.Sprintf("%s: %s → %s", field, plain(d.Old), plain(d.New))
}

// plain shows a value to people.
func plain(v json.RawMessage) string {
	var text string
	switch {
	case v == nil:
		return "unknown"
	case json.Unmarshal(v, &text) == nil:
		return text
	}
	return string(v)
}

// Differences lists what differs between two descriptions of a device, in the
// words of its JSON form: the device's own values first, then each port's.
func Differences(before, after rdma.Device) []Difference {
	list := compare(0, before, after, "ports")
	was, is := byNumber(before), byNumber(after)
	all := slices.Sorted(maps.Keys(union(was, is)))
	for _, n := range all {
		list = append(list, compare(n, value(was, n), value(is, n), "port")...)
	}
	return list
}

func byNumber(d rdma.Device) map[uint32]rdma.Port {
	ports := map[uint32]rdma.Port{}
	for _, p := range d.Ports {
		ports[p.Number] = p
	}
	return ports
}

func union(a, b map[uint32]rdma.Port) map[uint32]rdma.Port {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// value returns a port, or nothing, which has no fields.
func value(ports map[uint32]rdma.Port, n uint32) any {
	if p, ok := ports[n]; ok {
		return p
	}
	return struct{}{}
}

// compare compares two values field by field, but for the one called except.
func compare(port uint32, before, after any, except string) []Difference {
	was, is := fieldsOf(before), fieldsOf(after)
	names := maps.Clone(was)
	maps.Copy(names, is)
	delete(names, except)
	var list []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(was[name], is[name]) {
			list = append(list, Difference{port, name, was[name], is[name]})
		}
	}
	return list
}

func fieldsOf(v any) map[string]json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of plain values
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		panic(err)
	}
	return fields
}
