package resources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
)

// Kind is a kind of object, in the kernel's words.
type Kind string

const (
	QP   Kind = "qp"
	CQ   Kind = "cq"
	MR   Kind = "mr"
	PD   Kind = "pd"
	Ctx  Kind = "ctx"
	SRQ  Kind = "srq"
	CMID Kind = "cm_id"
)

// Kinds lists all kinds, in the order in which people look for them.
func Kinds() []Kind { return []Kind{QP, CQ, MR, PD, Ctx, SRQ, CMID} }

// Number is the attribute that tells the objects of one kind and device apart.
func (k Kind) Number() string {
	switch k {
	case QP:
		return "lqpn"
	case CMID:
		return "cm_idn"
	}
	return string(k) + "n"
}

// Attr is one attribute of an object.
type Attr struct {
	Key string
	// Value is a uint64, an int64, a bool, a string, a list of strings or of ranges.
	Value any
	// Hex tells that people want to see the number in hexadecimal.
	Hex bool
}

// Text shows the value to people.
func (a Attr) Text() string {
	switch v := a.Value.(type) {
	case uint64:
		if a.Hex {
			return "0x" + strconv.FormatUint(v, 16)
		}
		return strconv.FormatUint(v, 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		if v {
			return "on"
		}
		return "off"
	case []nldev.Range:
		return rangesText(v)
	case []string:
		return strings.Join(v, ",")
	case string:
		return v
	}
	return fmt.Sprint(a.Value)
}

// rangesText is "17-18,21".
func rangesText(ranges []nldev.Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = strconv.FormatUint(uint64(r.First), 10)
		if r.Last > r.First {
			parts[i] += "-" + strconv.FormatUint(uint64(r.Last), 10)
		}
	}
	return strings.Join(parts, ",")
}

// appendJSON writes the value. Ranges are texts, as in "17-18".
func (a Attr) appendJSON(b []byte) ([]byte, error) {
	switch v := a.Value.(type) {
	case uint64:
		return strconv.AppendUint(b, v, 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendText(b, v)
	}
	return appendMarshalled(b, a.JSONValue())
}

// JSONValue returns the value for [encoding/json]: ranges are texts there.
func (a Attr) JSONValue() any {
	ranges, ok := a.Value.([]nldev.Range)
	if !ok {
		return a.Value
	}
	texts := make([]string, len(ranges))
	for i := range ranges {
		texts[i] = rangesText(ranges[i : i+1])
	}
	return texts
}

// appendText writes a string; most need nothing escaped.
func appendText(b []byte, s string) ([]byte, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return appendMarshalled(b, s)
	}
	b = append(b, '"')
	return append(append(b, s...), '"'), nil
}

func appendMarshalled(b []byte, v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...), nil
}

// Attrs is what is known of a thing, in the order in which it is shown.
type Attrs []Attr

// Get returns the attribute called key.
func (l Attrs) Get(key string) (Attr, bool) {
	for _, a := range l {
		if a.Key == key {
			return a, true
		}
	}
	return Attr{}, false
}

// Text returns an attribute for people; empty if it is unknown.
func (l Attrs) Text(key string) string {
	if a, ok := l.Get(key); ok {
		return a.Text()
	}
	return ""
}

// Uint returns an attribute that is a number without sign.
func (l Attrs) Uint(key string) (n uint64, ok bool) {
	a, ok := l.Get(key)
	if !ok {
		return 0, false
	}
	n, ok = a.Value.(uint64)
	return n, ok
}

// MarshalJSON writes an object with the attributes in their order.
func (l Attrs) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 32*(len(l)+1)), '{')
	var err error
	for i, a := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendText(b, a.Key); err != nil {
			return nil, err
		}
		if b, err = a.appendJSON(append(b, ':')); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// Object is one object of a device.
type Object struct {
	Kind Kind
	Attrs
}

// Name returns DEVICE/KIND/NUMBER, which names an object as long as it lives.
func (o Object) Name() string {
	return o.Text("device") + "/" + string(o.Kind) + "/" + o.Text(o.Kind.Number())
}

// list collects attributes.
type list struct{ Attrs }

func (l *list) text(key, value string) {
	if value != "" {
		l.Attrs = append(l.Attrs, Attr{Key: key, Value: value})
	}
}

func (l *list) number(key string, value uint64) {
	l.Attrs = append(l.Attrs, Attr{Key: key, Value: value})
}

// add takes a number of whichever width, a flag, or a value that has a name.
func add[T any](l *list, key string, o rdma.Opt[T]) {
	v, ok := o.Get()
	if !ok {
		return
	}
	switch v := any(v).(type) {
	case uint32:
		l.number(key, uint64(v))
	case uint64:
		l.number(key, v)
	case bool:
		l.Attrs = append(l.Attrs, Attr{Key: key, Value: v})
	default:
		l.text(key, fmt.Sprint(v))
	}
}

// key takes a number that people know in hexadecimal.
func addHex[T uint32 | uint64](l *list, key string, o rdma.Opt[T]) {
	if v, ok := o.Get(); ok {
		l.Attrs = append(l.Attrs, Attr{Key: key, Value: uint64(v), Hex: true})
	}
}

// driver takes what the driver adds, under names that cannot be others'.
func (l *list) driver(d nldev.Driver) {
	for _, a := range d {
		out := Attr{Key: "drv_" + a.Name, Hex: a.Hex}
		if v, ok := a.Unsigned.Get(); ok {
			out.Value = v
		} else if v, ok := a.Signed.Get(); ok {
			out.Value = v
		} else {
			out.Value = a.Text.Or("")
		}
		l.Attrs = append(l.Attrs, out)
	}
}
