package output

import (
	"fmt"
	"io"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// Result is all that a verb has to say, for whichever format is asked for.
type Result[T any] struct {
	// Kind names the schema of the document: "DeviceList".
	Kind  string
	Items []T
	// Warnings tell what could not be read beside the items that could.
	Warnings []rdma.Warning
	// Body shows the items to people.
	Body Body
	// Name returns what -o name prints for one item: a name that ibctl takes as
	// an argument.
	Name func(T) string
	// RDMA returns the items as rdma -j shows them, and Legacy as another older
	// tool does, line by line, for the verbs that know the format.
	RDMA   func([]T) []Object
	Legacy map[Format]func([]T) []string
}

// Printer writes results in one format. The zero Format is not valid.
type Printer struct {
	// Out takes documents, Err warnings and errors.
	Out, Err  io.Writer
	Format    Format
	Template  *Template // of JSONPath and CustomColumns
	NoHeaders bool
	// Where says, before errors and warnings, what part of the input they are
	// about: "setup.batch:3".
	Where string
}

// Print writes r. It returns the first error of p.Out, wrapped; warnings follow
// the document on p.Err unless the document holds them.
func Print[T any](p Printer, r Result[T]) error {
	if r.Items == nil {
		r.Items = []T{}
	}
	text, err := encode(p, r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	if _, err := p.Out.Write(text); err != nil {
		return &WriteError{err}
	}
	if p.Format != JSON && p.Format != YAML {
		p.Warn(r.Warnings...)
	}
	return nil
}

func encode[T any](p Printer, r Result[T]) ([]byte, error) {
	switch p.Format {
	case JSONL:
		return encodeLines(r.Items)
	case JSON:
		return encodeJSON(newDocument(r), "  ")
	case YAML:
		return encodeYAML(newDocument(r))
	case Name:
		return encodeNames(r), nil
	case Table, Wide:
		var b strings.Builder
		r.Body.render(&b, Style{Wide: p.Format == Wide, NoHeaders: p.NoHeaders})
		return []byte(b.String()), nil
	case JSONPath:
		return p.Template.document(newDocument(r))
	case CustomColumns:
		return encodeColumns(p, r.Items)
	case RDMAJSON:
		if r.RDMA != nil {
			return encodeObjects(r.RDMA(r.Items))
		}
	default:
		if lines := r.Legacy[p.Format]; lines != nil {
			return encodeLegacy(lines(r.Items)), nil
		}
	}
	return nil, fmt.Errorf("%s has no form -o %s", r.Kind, p.Format)
}

func encodeColumns(p Printer, items any) ([]byte, error) {
	lines, err := p.Template.rows(items)
	if err != nil {
		return nil, err
	}
	if !p.NoHeaders {
		lines = append([][]string{p.Template.headers()}, lines...)
	}
	var b strings.Builder
	align(&b, lines, make([]bool, len(p.Template.columns)))
	return []byte(b.String()), nil
}

// encodeLegacy keeps the tabs between fields, which are part of the form; what is
// between them must have been escaped.
func encodeLegacy(lines []string) []byte {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return []byte(b.String())
}

func encodeNames[T any](r Result[T]) []byte {
	var b strings.Builder
	for _, item := range r.Items {
		b.WriteString(Text(r.Name(item)) + "\n")
	}
	return []byte(b.String())
}

// WriteError is the failure to write a result: a full disk, a closed pipe.
type WriteError struct{ Err error }

// Error implements error.
func (e *WriteError) Error() string { return fmt.Sprintf("write output: %v", e.Err) }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }
