package lab

import (
	"bytes"
	"io"
	"regexp"
)

// lineWriter passes what is written to it on by whole lines, each through a filter. It is for one goroutine.
type lineWriter struct {
	w      io.Writer
	filter func(line string) (changed string, keep bool)
	rest   []byte
}

func newLineWriter(w io.Writer, filter func(string) (string, bool)) *lineWriter {
	return &lineWriter{w: w, filter: filter}
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		if err := l.pass(string(l.rest[:end])); err != nil {
			return 0, err
		}
		l.rest = l.rest[end+1:]
	}
}

// flush passes on a last line that has no end.
func (l *lineWriter) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	line := string(l.rest)
	l.rest = nil
	return l.pass(line)
}

func (l *lineWriter) pass(line string) error {
	changed, keep := l.filter(line)
	if !keep {
		return nil
	}
	_, err := io.WriteString(l.w, changed+"\n")
	return err
}

var (
	// testLine is a line in which the testing package names a test. \x16 marks such lines for test2json.
	testLine = regexp.MustCompile(`^(\x16?(?:=== (?:RUN|PAUSE|CONT|NAME) +| *--- (?:PASS|FAIL|SKIP|BENCH): ))(\S+.*)$`)

	// chatter is what a test run that is not verbose does not print.
	chatter = regexp.MustCompile(`^\x16?(=== | *--- PASS: )`)

	// verdict is the testing package's last word, which is not the last one here.
	verdict = regexp.MustCompile(`^\x16?(PASS|FAIL)$`)
)

// underKernel turns a line of a test's output in the guest into one of all kernels' output: tests become subtests of the kernel.
func underKernel(kernel, line string, verbose bool) (changed string, keep bool) {
	if verdict.MatchString(line) || !verbose && chatter.MatchString(line) {
		return "", false
	}
	return testLine.ReplaceAllString(line, "${1}linux-"+kernel+"/${2}"), true
}
