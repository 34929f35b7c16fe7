package output

import "strings"

// Record shows one thing in full: a title, its fields a line each, and the
// parts it has.
type Record struct {
	Title  string
	Fields []Field
	Parts  []Record
}

// Field is one line of a Record. A field without a value is unknown and left out.
type Field struct {
	Label string
	Value string
}

// Records returns a Body that shows records one below the other, with an empty
// line between them.
func Records(records []Record) Body { return recordList(records) }

type recordList []Record

const indent = "    "

func (l recordList) render(b *strings.Builder, _ Style) {
	labels := 0
	for _, r := range l {
		labels = max(labels, r.labelWidth(""))
	}
	for i, r := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		r.render(b, "", labels)
	}
}

// labelWidth is the column at which the longest label ends, its indent included.
func (r Record) labelWidth(margin string) int {
	margin += indent
	n := 0
	for _, f := range r.Fields {
		n = max(n, displayWidth(margin+Text(f.Label)))
	}
	for _, part := range r.Parts {
		n = max(n, part.labelWidth(margin))
	}
	return n
}

func (r Record) render(b *strings.Builder, margin string, labels int) {
	b.WriteString(margin + Text(r.Title) + "\n")
	margin += indent
	for _, f := range r.Fields {
		if f.Value == "" {
			continue
		}
		label := margin + Text(f.Label)
		b.WriteString(label + strings.Repeat(" ", labels-displayWidth(label)) + gap + Text(f.Value) + "\n")
	}
	for _, part := range r.Parts {
		part.render(b, margin, labels)
	}
}
