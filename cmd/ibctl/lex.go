package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// token is one flag or one argument of a command line.
type token struct {
	// flag is the flag's full name; empty for an argument.
	flag     string
	value    string
	hasValue bool
}

// String returns a flag as --name or --name=value.
func (t token) String() string {
	if t.hasValue {
		return "--" + t.flag + "=" + t.value
	}
	return "--" + t.flag
}

// flagKind is what the lexer has to know of a flag.
type flagKind struct {
	name       string
	takesValue bool
}

// flagTable finds flags by each of their names. A flag has the same shape
// wherever it is accepted, so that a line can be read from left to right.
type flagTable map[string]flagKind

// knownFlags collects the flags of app and all its commands.
func knownFlags(app *cli.App) flagTable {
	table := flagTable{}
	table.add(allFlags(app))
	return table
}

func (ft flagTable) add(flags []cli.Flag) {
	for _, f := range flags {
		takesValue := true
		if d, ok := f.(cli.DocGenerationFlag); ok {
			takesValue = d.TakesValue()
		}
		for _, name := range f.Names() {
			ft[name] = flagKind{f.Names()[0], takesValue}
		}
	}
}

// names lists the flags as they are written, sorted.
func (ft flagTable) names() []string {
	var all []string
	for name := range ft {
		if len(name) > 1 {
			all = append(all, "--"+name)
		}
	}
	slices.Sort(all)
	return all
}

// lexer reads the words of a line one after the other.
type lexer struct {
	table  flagTable
	words  []string
	tokens []token
	err    error // the first
	// open is the flag that stands last and lacks its value.
	open string
}

// lex splits words into flags and arguments. Flags may stand anywhere up to
// "--", be written --name value, --name=value or -name, and single letters may
// be put together: -jv, -ojson. After an error the rest is read all the same.
func lex(table flagTable, words []string) lexer {
	l := lexer{table: table, words: words}
	for len(l.words) > 0 {
		word := l.next()
		switch {
		case word == "--":
			for len(l.words) > 0 {
				l.tokens = append(l.tokens, token{value: l.next()})
			}
		case strings.HasPrefix(word, "--"):
			l.long(word, word[2:])
		case len(word) > 1 && word[0] == '-':
			l.short(word)
		default:
			l.tokens = append(l.tokens, token{value: word})
		}
	}
	return l
}

func (l *lexer) next() string {
	word := l.words[0]
	l.words = l.words[1:]
	return word
}

// long reads a flag that is written with its full name.
func (l *lexer) long(word, text string) {
	name, value, hasValue := strings.Cut(text, "=")
	kind, ok := l.table[name]
	if !ok || len(name) == 1 {
		l.unknown(word)
		return
	}
	l.flag(word, kind, value, hasValue)
}

// short reads -o, -jv, -ojson, and -output, which Go and iproute2 users write.
func (l *lexer) short(word string) {
	name, _, _ := strings.Cut(word[1:], "=")
	if _, ok := l.table[name]; ok && len(name) > 1 {
		l.long(word, word[1:])
		return
	}
	for i, letter := range word[1:] {
		kind, ok := l.table[string(letter)]
		if !ok {
			l.unknown(word)
			return
		}
		rest := word[1+i+len(string(letter)):]
		if kind.takesValue || strings.HasPrefix(rest, "=") {
			l.flag(word, kind, strings.TrimPrefix(rest, "="), rest != "")
			return
		}
		l.flag(word, kind, "", false)
	}
}

// flag adds a flag, with the next word as its value if it needs one.
func (l *lexer) flag(word string, kind flagKind, value string, hasValue bool) {
	if kind.takesValue && !hasValue {
		if len(l.words) == 0 {
			l.open = kind.name
			l.fail(usagef("%s needs a value", word))
			return
		}
		value, hasValue = l.next(), true
	}
	l.tokens = append(l.tokens, token{kind.name, value, hasValue})
}

func (l *lexer) unknown(word string) {
	name, _, _ := strings.Cut(word, "=")
	l.fail(&usageError{problem: fmt.Sprintf("no flag %s", name), hint: didYouMean(name, l.table.names())})
}

func (l *lexer) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}
