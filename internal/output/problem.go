package output

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// Problem is an error as the user sees it.
type Problem struct {
	// Code is the exit code that comes of it, Reason the same in a word.
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Candidates are what could have been meant.
	Candidates []string `json:"candidates,omitempty"`
	// Hint says what to do, in a sentence.
	Hint string `json:"hint,omitempty"`
}

// program begins every line of text on standard error.
const program = "ibctl: "

// Error writes problem to p.Err: lines of text, or a JSON object on one line
// where the format is for a parser. There is no use in an error from p.Err.
func (p Printer) Error(problem Problem) {
	if p.Format.Structured() {
		p.object(struct {
			header
			Problem
		}{header{APIVersion, "Error", p.Where}, problem})
		return
	}
	p.line(problem.Message)
	for _, c := range problem.Candidates {
		fmt.Fprintf(p.Err, "%s%s\n", indent, Text(c))
	}
	if problem.Hint != "" {
		p.line(problem.Hint)
	}
}

// Warn writes warnings to p.Err, in the way Error does.
func (p Printer) Warn(list ...rdma.Warning) {
	for _, w := range list {
		if p.Format.Structured() {
			p.object(struct {
				header
				warning
			}{header{APIVersion, "Warning", p.Where}, newWarning(w)})
			continue
		}
		p.line("warning: " + w.Error())
	}
}

// Note writes a line of text to p.Err that is neither an error nor a warning;
// where the format is for a parser it is left out.
func (p Printer) Note(text string) {
	if !p.Format.Structured() {
		p.line(text)
	}
}

func (p Printer) line(text string) {
	where := p.Where
	if where != "" {
		where += ": "
	}
	fmt.Fprintf(p.Err, "%s%s%s\n", program, Text(where), Text(text))
}

// Line writes v as JSON on a line of p.Out.
func (p Printer) Line(v any) error {
	text, err := encodeJSON(v, "")
	if err != nil {
		return err
	}
	if _, err := p.Out.Write(text); err != nil {
		return &WriteError{err}
	}
	return nil
}

func (p Printer) object(v any) {
	text, err := encodeJSON(v, "")
	if err != nil {
		p.line(err.Error())
		return
	}
	p.Err.Write(text) //nolint:errcheck // there is nowhere left to say so
}
