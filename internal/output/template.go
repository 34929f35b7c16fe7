package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// Template is what -o jsonpath=… or -o custom-columns=… shows of a document, in
// the language of kubectl (https://kubernetes.io/docs/reference/kubectl/jsonpath).
type Template struct {
	text    string // as a value of -o
	source  string // of a jsonpath
	columns []templateColumn
}

// templateColumn is a column of -o custom-columns.
type templateColumn struct{ header, path string }

// noValue stands, as in kubectl, for what an item does not have.
const noValue = "<none>"

// newTemplate makes sure that a template makes sense.
func newTemplate(f Format, source string, inFile bool) (*Template, error) {
	if f == CustomColumns {
		columns, err := parseColumns(source, inFile)
		return &Template{columns: columns}, err
	}
	_, err := compilePath(source)
	return &Template{source: source}, err
}

// String returns the value of -o that the template came from.
func (t *Template) String() string { return t.text }

func compilePath(source string) (*jsonpath.JSONPath, error) {
	j := jsonpath.New("-o").AllowMissingKeys(true)
	if err := execute(func() error { return j.Parse(source) }); err != nil {
		return nil, fmt.Errorf("%q is no jsonpath: %w", source, err)
	}
	return j, nil
}

// parseColumns reads NAME:.path,NAME:.path; in a file the names stand on the
// first line and the paths on the second.
func parseColumns(source string, inFile bool) (columns []templateColumn, err error) {
	if inFile {
		return columnsOfLines(source)
	}
	for part := range strings.SplitSeq(source, ",") {
		header, path, ok := strings.Cut(part, ":")
		if !ok || header == "" || path == "" {
			return nil, fmt.Errorf("-o custom-columns: %q is not NAME:PATH", part)
		}
		columns = append(columns, templateColumn{header, relaxed(path)})
	}
	return columns, checkColumns(columns)
}

func columnsOfLines(text string) (columns []templateColumn, err error) {
	names, paths, _ := strings.Cut(strings.TrimSpace(text), "\n")
	headers, specs := strings.Fields(names), strings.Fields(paths)
	if len(headers) == 0 || len(headers) != len(specs) {
		return nil, fmt.Errorf("-o custom-columns-file: %d names on the first line, %d paths on the second", len(headers), len(specs))
	}
	for i, header := range headers {
		columns = append(columns, templateColumn{header, relaxed(specs[i])})
	}
	return columns, checkColumns(columns)
}

func checkColumns(columns []templateColumn) error {
	for _, c := range columns {
		if _, err := compilePath(c.path); err != nil {
			return err
		}
	}
	return nil
}

// relaxed returns a path as jsonpath wants it: name, .name, {name} and {.name}
// are all the same.
func relaxed(path string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(path, "{"), "}")
	return "{." + strings.TrimPrefix(inner, ".") + "}"
}

// document shows a whole document. As in kubectl, what the template does not end
// has no end.
func (t *Template) document(doc any) ([]byte, error) {
	data, err := plainData(doc)
	if err != nil {
		return nil, err
	}
	j, err := compilePath(t.source)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := execute(func() error { return j.Execute(&b, data) }); err != nil {
		return nil, &TemplateError{err}
	}
	return b.Bytes(), nil
}

// rows shows items as the cells of a table.
func (t *Template) rows(items any) (lines [][]string, err error) {
	data, err := plainData(items)
	if err != nil {
		return nil, err
	}
	for _, item := range data.([]any) {
		line := make([]string, len(t.columns))
		for i, c := range t.columns {
			if line[i], err = cellOf(c.path, item); err != nil {
				return nil, err
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (t *Template) headers() []string {
	line := make([]string, len(t.columns))
	for i, c := range t.columns {
		line[i] = Text(c.header)
	}
	return line
}

// cellOf returns what a path finds in an item, with commas between several.
func cellOf(path string, item any) (string, error) {
	j, err := compilePath(path)
	if err != nil {
		return "", err
	}
	var texts []string
	err = execute(func() error {
		results, err := j.FindResults(item)
		for _, list := range results {
			for _, v := range list {
				texts = append(texts, valueText(v.Interface()))
			}
		}
		return err
	})
	switch {
	case err != nil:
		return "", &TemplateError{err}
	case len(texts) == 0:
		return noValue, nil
	}
	return strings.Join(texts, ","), nil
}

func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return noValue
	case map[string]any, []any:
		if text, err := marshal(v, ""); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return fmt.Sprint(v)
}

// TemplateError says why a template cannot be applied to what there is.
type TemplateError struct{ Err error }

// Error implements error.
func (e *TemplateError) Error() string { return "apply the template of -o: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TemplateError) Unwrap() error { return e.Err }

// execute lets no template end the program: the library has panicked at odd ones.
func execute(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return do()
}

// plainData returns v as its JSON says, with numbers that keep all their digits,
// and with texts that a terminal can take.
func plainData(v any) (any, error) {
	text, err := marshal(v, "")
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var data any
	if err := dec.Decode(&data); err != nil {
		return nil, err
	}
	return plainValue(data), nil
}

func plainValue(v any) any {
	switch v := v.(type) {
	case string:
		return Text(v)
	case json.Number:
		return plainNumber(v)
	case []any:
		for i := range v {
			v[i] = plainValue(v[i])
		}
	case map[string]any:
		escaped := make(map[string]any, len(v))
		for key, value := range v {
			escaped[Text(key)] = plainValue(value)
		}
		return escaped
	}
	return v
}

// plainNumber chooses the type by which filters compare: [?(@.value>10)].
func plainNumber(n json.Number) any {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n.String()
}
