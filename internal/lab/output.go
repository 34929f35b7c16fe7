package lab

import (
	"bytes"
	"io"
	"regexp"
	"slices"
)

// testOutput makes of the output of the tests in one guest a part of the output of all: tests become subtests of the kernel, and
// the guest's last word is left out. It passes on whole lines. It is for one goroutine.
type testOutput struct {
	w       io.Writer
	kernel  string
	verbose bool
	failed  []failure // the tests that have failed; subtests are not among them
	ended   []string  // the tests that have ended in any way, likewise

	running string   // the test that is
	begun   int      // how many have
	told    []string // its last lines
	rest    []byte   // a line that has no end yet
}

// failure is a test that failed, and the last that it said.
type failure struct {
	test string
	said []string
}

// lastWords is how many lines of a test that fails are told once more at the end of all.
const lastWords = 8

func (o *testOutput) Write(p []byte) (int, error) {
	o.rest = append(o.rest, p...)
	for {
		end := bytes.IndexByte(o.rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		if err := o.pass(string(o.rest[:end])); err != nil {
			return 0, err
		}
		o.rest = o.rest[end+1:]
	}
}

// flush passes on a last line that has no end.
func (o *testOutput) flush() error {
	if len(o.rest) == 0 {
		return nil
	}
	line := string(o.rest)
	o.rest = nil
	return o.pass(line)
}

var (
	// testLine is a line in which the testing package names a test. \x16 marks such lines for test2json.
	testLine = regexp.MustCompile(`^(\x16?(?:=== (?:RUN|PAUSE|CONT|NAME) +| *--- (?:PASS|FAIL|SKIP|BENCH): ))(\S+.*)$`)

	// startLine is where a test begins that is no subtest, and endLine where it has ended.
	startLine = regexp.MustCompile(`^\x16?=== RUN +([^/\s]+)$`)
	endLine   = regexp.MustCompile(`^\x16?--- (PASS|FAIL|SKIP): (\S+)`)

	// chatter is what a test run that is not verbose does not print.
	chatter = regexp.MustCompile(`^\x16?(=== | *--- PASS: )`)

	// verdict is the testing package's last word, which is not the last one here.
	verdict = regexp.MustCompile(`^\x16?(PASS|FAIL)$`)
)

func (o *testOutput) pass(line string) error {
	o.remember(line)
	if verdict.MatchString(line) || !o.verbose && chatter.MatchString(line) {
		return nil
	}
	_, err := io.WriteString(o.w, testLine.ReplaceAllString(line, "${1}linux-"+o.kernel+"/${2}")+"\n")
	return err
}

// remember keeps what is told of a failure at the end of all.
func (o *testOutput) remember(line string) {
	if m := startLine.FindStringSubmatch(line); m != nil {
		o.running, o.told = m[1], nil
		o.begun++
		return
	}
	switch m := endLine.FindStringSubmatch(line); {
	case m != nil:
		o.ended, o.running = append(o.ended, m[2]), ""
		if m[1] == "FAIL" {
			o.failed = append(o.failed, failure{test: m[2], said: slices.Clone(o.told)})
		}
	case !chatter.MatchString(line):
		o.told = append(o.told, line)
		o.told = o.told[max(0, len(o.told)-lastWords):]
	}
}

// lastLines passes on what is written, and keeps its last lines. It is for one goroutine.
type lastLines struct {
	w     io.Writer
	lines []string
	rest  []byte
}

// Write implements io.Writer.
func (l *lastLines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return l.w.Write(p)
		}
		l.lines, l.rest = append(l.lines, string(line)), rest
		l.lines = l.lines[max(0, len(l.lines)-lastWords):]
	}
}
