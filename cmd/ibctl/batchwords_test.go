package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                           nil,
		" \t ":                       nil,
		"dev list":                   {"dev", "list"},
		"\tdev  list ":               {"dev", "list"},
		"dev list # all":             {"dev", "list"},
		"# all":                      nil,
		"dev show '#3'":              {"dev", "show", "#3"},
		`dev show \#3`:               {"dev", "show", "#3"},
		"dev show eth#3":             {"dev", "show", "eth#3"},
		`a 'b c' "d e" f\ g`:         {"a", "b c", "d e", "f g"},
		`'' ""`:                      {"", ""},
		`a'b'"c"d`:                   {"abcd"},
		`"a\"b\\c\d" 'a\b'`:          {`a"b\c\d`, `a\b`},
		`-o 'jsonpath={"\n"}'`:       {"-o", `jsonpath={"\n"}`},
		"dev list mlx5_0 # it's one": {"dev", "list", "mlx5_0"},
		`end\`:                       {`end\`},
	} {
		if got, err := splitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'a`, `"a`, `a"b'`, `"\"`} {
		if got, err := splitWords(text); !errors.Is(err, errOpenQuote) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestBatchReader(t *testing.T) {
	const file = "one\r\n\n  # none\ntwo \\\n  goes on \\\n\tand on\nnot\\\\\n'open\nlast \\"
	type command struct {
		number int
		words  string
	}
	want := []command{{1, "one"}, {4, "two goes on and on"}, {7, `not\`}, {8, ""}, {9, "last"}}
	r := newBatchReader(strings.NewReader(file))
	for _, w := range want {
		l, err := r.next()
		if err != nil || l.number != w.number || strings.Join(l.words, " ") != w.words || (l.err != nil) != (w.words == "") {
			t.Errorf("%+v, %v, want %v", l, err, w)
		}
	}
	if l, err := r.next(); !errors.Is(err, io.EOF) {
		t.Errorf("%+v, %v", l, err)
	}
}

// FuzzSplitWords: words that are quoted come back as they were.
func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{"", "a", "a b", "#", "'", `"`, `\`, "a\tb", "\xff"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		got, err := splitWords(quote(a) + " " + quote(b) + " # " + a)
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Errorf("%q, %q became %q, %v", a, b, got, err)
		}
		_, _ = splitWords(a + b) // whatever it is, it comes to an end
	})
}
