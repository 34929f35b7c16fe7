package output

import (
	"fmt"
	"slices"
	"strings"
)

// Format is one of the ways to show a result: the values of the flag -o.
type Format string

const (
	Table Format = "table"
	Wide  Format = "wide"
	JSON  Format = "json"
	JSONL Format = "jsonl"
	YAML  Format = "yaml"
	Name  Format = "name"
)

// Formats lists all formats, in the order in which help shows them.
func Formats() []Format { return []Format{Table, Wide, JSON, JSONL, YAML, Name} }

// ParseFormat returns the format called text.
func ParseFormat(text string) (Format, error) {
	if f := Format(text); slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("no output format %q: want one of %s", text, formatList())
}

func formatList() string {
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// Structured tells whether f is meant for a parser. What goes to standard error
// is then a JSON object a line, too.
func (f Format) Structured() bool { return f == JSON || f == JSONL || f == YAML }
