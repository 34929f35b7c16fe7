package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

// errNoCommand is the bare word ibctl; who types it wants to see what there is.
var errNoCommand = &usageError{problem: "no command given"}

// line is a command line, taken apart and understood.
type line struct {
	// path is the noun and, where it has any, the verb, in full.
	path []string
	// globals and flags are written as the library wants them: --name=value.
	globals, flags []string
	args           []string
	help           bool
}

// parseLine reads the words after the program's name. Flags may stand anywhere;
// nouns and verbs may be abbreviated. With an error, what was understood comes
// back all the same.
func parseLine(app *cli.App, words []string) (line, error) {
	return parseWith(app, knownFlags(app), words)
}

// parseWith is parseLine for who knows the flags of app already.
func parseWith(app *cli.App, known flagTable, words []string) (line, error) {
	read := lex(known, words)
	var l line
	l.take(read.tokens, app.Flags)
	if read.err != nil {
		return l, read.err
	}
	if err := l.resolve(app); err != nil || l.help {
		return l, err
	}
	return l, l.checkFlags(app, read.tokens)
}

// take sorts the tokens into global flags, other flags and arguments.
func (l *line) take(tokens []token, globals []cli.Flag) {
	for _, t := range tokens {
		switch {
		case t.flag == "":
			l.args = append(l.args, t.value)
		case t.flag == "help":
			l.help = true
		case hasFlag(globals, t.flag):
			l.globals = append(l.globals, t.String())
		default:
			l.flags = append(l.flags, t.String())
		}
	}
}

// resolve moves noun and verb from the arguments to the path.
func (l *line) resolve(app *cli.App) error {
	if len(l.args) == 0 {
		if l.help {
			return nil
		}
		return errNoCommand
	}
	noun, err := match("command", l.args[0], app.Commands)
	if err != nil {
		return err
	}
	l.path, l.args = []string{noun.Name}, l.args[1:]
	if len(noun.Subcommands) == 0 {
		return nil
	}
	if len(l.args) == 0 {
		l.addDefaultVerb(noun)
		return nil
	}
	if l.args[0] == "help" {
		l.help = true
		return nil
	}
	verb, err := match(noun.Name+" verb", l.args[0], noun.Subcommands)
	if err != nil {
		return err
	}
	l.path, l.args = append(l.path, verb.Name), l.args[1:]
	return nil
}

// addDefaultVerb lets a bare noun list what there is, as ip(8) does. Help on a
// noun is about all its verbs.
func (l *line) addDefaultVerb(noun *cli.Command) {
	if !l.help {
		l.path = append(l.path, noun.Subcommands[0].Name)
	}
}

// checkFlags refuses flags of other verbs.
func (l *line) checkFlags(app *cli.App, tokens []token) error {
	own := find(app.Commands, l.path).Flags
	for _, t := range tokens {
		if t.flag != "" && !hasFlag(app.Flags, t.flag) && !hasFlag(own, t.flag) {
			return &usageError{
				problem: "ibctl " + strings.Join(l.path, " ") + " has no flag --" + t.flag,
				hint:    "ibctl help " + strings.Join(l.path, " ") + " lists its flags",
			}
		}
	}
	return nil
}

// canonical returns the words in the order that the library understands.
func (l *line) canonical() []string {
	words := append([]string{"ibctl"}, l.globals...)
	words = append(words, l.path...)
	words = append(words, l.flags...)
	return append(append(words, "--"), l.args...)
}

// format returns the output format that the line asks for, or the default if it
// asks for none that exists.
func (l *line) format() output.Format {
	f := defaultFormat
	for _, g := range l.globals {
		name, value, _ := strings.Cut(g, "=")
		switch parsed, _, err := output.ParseFormat(value); {
		case name == "--json":
			return output.JSON
		case name == "--output" && err == nil:
			f = parsed
		}
	}
	return f
}

// find returns the command at path, which exists.
func find(commands []*cli.Command, path []string) *cli.Command {
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.Name == path[0] })
	if len(path) == 1 {
		return commands[i]
	}
	return find(commands[i].Subcommands, path[1:])
}

func hasFlag(flags []cli.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}
