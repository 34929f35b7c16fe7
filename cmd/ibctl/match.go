package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// match finds the command that word names: exactly, or by a beginning that no
// other command shares. what says what is looked for.
func match(what, word string, commands []*cli.Command) (*cli.Command, error) {
	var found []*cli.Command
	for _, c := range commands {
		if c.HasName(word) {
			return c, nil
		}
		if word != "" && abbreviates(word, c) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		names := names(commands)
		return nil, &usageError{problem: fmt.Sprintf("no %s %q", what, word), hint: suggestion(word, names)}
	}
	return nil, &usageError{problem: fmt.Sprintf("%s %q is ambiguous", what, word), candidates: names(found)}
}

// abbreviates tells whether one of c's names begins with word.
func abbreviates(word string, c *cli.Command) bool {
	for _, name := range c.Names() {
		if strings.HasPrefix(name, word) {
			return true
		}
	}
	return false
}

func names(commands []*cli.Command) []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.Names()...)
	}
	return all
}

// suggestion is the hint for a word that names nothing.
func suggestion(word string, names []string) string {
	if hint := didYouMean(word, names); hint != "" {
		return hint
	}
	return "there is " + strings.Join(names, ", ")
}
