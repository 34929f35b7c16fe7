package output

import (
	"bytes"
	"encoding/json"
)

// Object is a JSON object whose members stand in this order, as scripts that cut
// text expect of the tools they know.
type Object []Member

// Member is one member of an Object.
type Member struct {
	Key   string
	Value any
}

// Add appends a member.
func (o *Object) Add(key string, value any) { *o = append(*o, Member{key, value}) }

// AddText appends a member unless the text is empty: unknown.
func (o *Object) AddText(key, text string) {
	if text != "" {
		o.Add(key, text)
	}
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.Key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.Value, "")
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(bytes.TrimSpace(value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encodeObjects returns objects as rdma -j does: an array on one line.
func encodeObjects(objects []Object) ([]byte, error) {
	if objects == nil {
		objects = []Object{}
	}
	return encodeJSON(objects, "")
}
