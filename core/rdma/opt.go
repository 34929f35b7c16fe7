package rdma

import (
	"bytes"
	"encoding/json"
)

// Opt is a value that may be unknown. Its zero value is unknown, so a reader
// that forgets to set it does not make up a zero. In JSON an unknown value is
// left out by the tag `omitzero`.
type Opt[T any] struct {
	value T
	known bool
}

// Known returns an Opt that holds v.
func Known[T any](v T) Opt[T] { return Opt[T]{value: v, known: true} }

// Get returns the value and whether it is known.
func (o Opt[T]) Get() (T, bool) { return o.value, o.known }

// Or returns the value, or fallback if it is unknown.
func (o Opt[T]) Or(fallback T) T {
	if o.known {
		return o.value
	}
	return fallback
}

// Else returns o if it is known and other if not: of two sources, the first
// that knows wins.
func (o Opt[T]) Else(other Opt[T]) Opt[T] {
	if o.known {
		return o
	}
	return other
}

// IsKnown tells whether there is a value.
func (o Opt[T]) IsKnown() bool { return o.known }

// IsZero tells encoding/json's omitzero to leave an unknown value out.
func (o Opt[T]) IsZero() bool { return !o.known }

// MarshalJSON writes the value, or null where the field has no omitzero.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads a value; null is unknown.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*o = Opt[T]{}
		return nil
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*o = Known(v)
	return nil
}
