package output

import (
	"fmt"
	"io"
	"os"
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

	// JSONPath and CustomColumns are kubectl's: a [Template] says what is shown.
	JSONPath      Format = "jsonpath"
	CustomColumns Format = "custom-columns"

	// These are the forms of older tools, which not every verb knows:
	// rdma -j, ibdev2netdev and show_gids.
	RDMAJSON     Format = "rdma-json"
	IBDev2Netdev Format = "ibdev2netdev"
	ShowGIDs     Format = "show_gids"
)

// Formats lists the formats that every result can be shown in and that need no
// template, in the order in which help shows them.
func Formats() []Format { return []Format{Table, Wide, JSON, JSONL, YAML, Name} }

// LegacyFormats lists the forms of older tools.
func LegacyFormats() []Format { return []Format{RDMAJSON, IBDev2Netdev, ShowGIDs} }

// fromFile is what the name of a format ends in whose template is in a file.
const fromFile = "-file"

// ParseFormat returns the format that text asks for, and the template of one
// that has any: jsonpath=TEMPLATE, custom-columns=SPEC, or either in a file, as
// in jsonpath-file=FILE.
func ParseFormat(text string) (Format, *Template, error) {
	f := Format(text)
	if slices.Contains(Formats(), f) || slices.Contains(LegacyFormats(), f) {
		return f, nil, nil
	}
	name, argument, given := strings.Cut(text, "=")
	kind, inFile := strings.CutSuffix(name, fromFile)
	switch f = Format(kind); {
	case f != JSONPath && f != CustomColumns:
		return "", nil, fmt.Errorf("no output format %q: want one of %s", text, formatList())
	case !given || argument == "":
		return "", nil, fmt.Errorf("-o %s wants a template, as in -o %s", name, templateExample(f))
	}
	if inFile {
		content, err := readTemplate(argument)
		if err != nil {
			return "", nil, fmt.Errorf("-o %s: %w", name, err)
		}
		argument = content
	}
	t, err := newTemplate(f, argument, inFile)
	t.text = text
	return f, t, err
}

// maxTemplate is how long a template in a file may be, in octets.
const maxTemplate = 1 << 20

// readTemplate reads a file of any kind, a pipe, too, as far as it makes sense.
func readTemplate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(content) > maxTemplate {
		err = fmt.Errorf("%s: longer than %d octets, which no template is", path, maxTemplate)
	}
	return string(content), err
}

func templateExample(f Format) string {
	if f == JSONPath {
		return "jsonpath='{.items[*].name}'"
	}
	return "custom-columns=NAME:.name"
}

func formatList() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	names = append(names, "jsonpath=…", "custom-columns=…")
	for _, f := range LegacyFormats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// Structured tells whether f is meant for a parser. What goes to standard error
// is then a JSON object a line, too.
func (f Format) Structured() bool { return f == JSON || f == JSONL || f == YAML }

// Whole tells whether items are shown, or may be, with all that is known of
// them.
func (f Format) Whole() bool { return f.Structured() || f == JSONPath || f == CustomColumns }
