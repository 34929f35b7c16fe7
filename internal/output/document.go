package output

import (
	"bytes"
	"encoding/json"

	"github.com/ibctl/ibctl/core/rdma"
)

// APIVersion is the promise that a document makes: within ibctl/v1, fields are
// added and never renamed, removed or given another meaning.
const APIVersion = "ibctl/v1"

// document is the envelope around the items of a result.
type document struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Items      any       `json:"items"`
	Warnings   []warning `json:"warnings"`
}

// warning is a [rdma.Warning] in a document.
type warning struct {
	Object    string `json:"object"`
	Operation string `json:"operation"`
	Message   string `json:"message"`
}

// header names a JSON object that stands alone on a line of standard error.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Where      string `json:"where,omitzero"`
}

func newDocument[T any](r Result[T]) document {
	return document{APIVersion, r.Kind, r.Items, warnings(r.Warnings)}
}

func warnings(list []rdma.Warning) []warning {
	out := make([]warning, 0, len(list))
	for _, w := range list {
		out = append(out, newWarning(w))
	}
	return out
}

func newWarning(w rdma.Warning) warning {
	return warning{Object: w.Object, Operation: w.Op, Message: w.Err.Error()}
}

// encodeJSON returns v as JSON with nothing in it that a terminal obeys, and a
// newline; indented if indent is not empty.
func encodeJSON(v any, indent string) ([]byte, error) {
	b, err := marshal(v, indent)
	return escapeUnicode(b, jsonEscape), err
}

func marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil || indent == "" {
		return b.Bytes(), err
	}
	// The encoder could indent, but lets the text grow step by step.
	var indented bytes.Buffer
	indented.Grow(2 * b.Len())
	err := json.Indent(&indented, b.Bytes(), "", indent)
	return indented.Bytes(), err
}

// encodeLines returns each item as JSON on a line of its own.
func encodeLines[T any](items []T) ([]byte, error) {
	var b []byte
	for _, item := range items {
		line, err := encodeJSON(item, "")
		if err != nil {
			return nil, err
		}
		b = append(b, line...)
	}
	return b, nil
}
