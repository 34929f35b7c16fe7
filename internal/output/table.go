package output

import "strings"

// Column is one column of a table whose rows are values of type R.
type Column[R any] struct {
	// Header is printed above, in capitals.
	Header string
	// Cell returns the text for one row; empty stands for unknown.
	Cell func(R) string
	// Right aligns numbers.
	Right bool
	// Wide columns are shown with -o wide only.
	Wide bool
}

// Body is the shape in which people see a result: [Rows], [Records] or [Lines].
type Body interface {
	render(b *strings.Builder, style Style)
}

// Style is how a Body is shown.
type Style struct {
	Wide      bool
	NoHeaders bool
}

// unknown stands in a table for a value that is not known.
const unknown = "-"

// Rows returns a Body that shows each of rows as a line under columns.
func Rows[R any](rows []R, columns []Column[R]) Body { return table[R]{rows, columns} }

type table[R any] struct {
	rows    []R
	columns []Column[R]
}

func (t table[R]) render(b *strings.Builder, style Style) {
	columns := t.shown(style.Wide)
	lines := make([][]string, 0, len(t.rows)+1)
	if !style.NoHeaders {
		lines = append(lines, headers(columns))
	}
	for _, row := range t.rows {
		lines = append(lines, cells(columns, row))
	}
	right := make([]bool, len(columns))
	for i, c := range columns {
		right[i] = c.Right
	}
	align(b, lines, right)
}

func (t table[R]) shown(wide bool) []Column[R] {
	var columns []Column[R]
	for _, c := range t.columns {
		if wide || !c.Wide {
			columns = append(columns, c)
		}
	}
	return columns
}

func headers[R any](columns []Column[R]) []string {
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.Header
	}
	return line
}

func cells[R any](columns []Column[R], row R) []string {
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = Text(c.Cell(row))
		if line[i] == "" {
			line[i] = unknown
		}
	}
	return line
}
