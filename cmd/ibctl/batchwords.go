package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// batchLine is a command of a batch, which may go on over several lines of the
// file.
type batchLine struct {
	number int    // of the first line
	text   string // as it stands there
	words  []string
	err    error // why it cannot be taken apart
}

// batchReader reads commands from a file as they come.
type batchReader struct {
	in     *bufio.Reader
	number int
}

func newBatchReader(in io.Reader) *batchReader { return &batchReader{in: bufio.NewReader(in)} }

// next returns the next command; empty lines and comments are none. io.EOF is
// the end.
func (r *batchReader) next() (batchLine, error) {
	for {
		l, err := r.read()
		if err != nil {
			return l, err
		}
		l.words, l.err = splitWords(l.text)
		if len(l.words) > 0 || l.err != nil {
			return l, nil
		}
	}
}

// read returns a line, with those that it goes on over: a backslash stands last
// on all but one of them.
func (r *batchReader) read() (l batchLine, err error) {
	for {
		text, err := r.in.ReadString('\n')
		if err != nil && !(errors.Is(err, io.EOF) && text != "") {
			if l.number > 0 && errors.Is(err, io.EOF) {
				return l, nil // the file ends in a backslash
			}
			return l, err
		}
		r.number++
		if l.number == 0 {
			l.number = r.number
		}
		text = strings.TrimRight(text, "\r\n")
		more := goesOn(text)
		l.text += strings.TrimSuffix(text, map[bool]string{true: "\\"}[more])
		if !more {
			return l, nil
		}
	}
}

// goesOn tells whether a line ends in a backslash that no other one takes the
// meaning of.
func goesOn(text string) bool {
	return (len(text)-len(strings.TrimRight(text, "\\")))%2 == 1
}

var errOpenQuote = errors.New("a quotation mark without its end")

// splitWords takes a line apart as a shell does, without its expansions: words
// lie between blanks, '...' and "..." keep blanks, a backslash takes the meaning
// from what follows, and # begins a comment where a word could begin.
func splitWords(text string) (words []string, err error) {
	s := wordSplitter{rest: []rune(text)}
	for len(s.rest) > 0 {
		s.step()
	}
	s.end()
	if s.quote != 0 {
		return nil, errOpenQuote
	}
	return s.words, nil
}

type wordSplitter struct {
	rest  []rune
	words []string
	word  strings.Builder
	open  bool // a word has begun; it may be empty: ''
	quote rune // that is open
}

// step takes one character, or two where the first is a backslash.
func (s *wordSplitter) step() {
	c := s.take()
	switch {
	case c == s.quote: // the end of it
		s.quote = 0
	case s.quote == '\'':
		s.add(c)
	case c == '\\' && len(s.rest) > 0 && (s.quote == 0 || s.rest[0] == '"' || s.rest[0] == '\\'):
		s.add(s.take())
	case s.quote == '"':
		s.add(c)
	case c == '\'' || c == '"':
		s.quote, s.open = c, true
	case c == ' ' || c == '\t':
		s.end()
	case c == '#' && !s.open:
		s.rest = nil
	default:
		s.add(c)
	}
}

func (s *wordSplitter) take() rune {
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

func (s *wordSplitter) add(c rune) {
	s.word.WriteRune(c)
	s.open = true
}

func (s *wordSplitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}
