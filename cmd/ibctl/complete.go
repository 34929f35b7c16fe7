package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/internal/output"
)

// completeVerb is what the completion scripts call, with the words of the line
// up to the cursor; the last one is being typed and may be empty. It prints a
// candidate a line, with a tab and an explanation where there is one, or
// [directories] where the shell knows better.
const completeVerb = "__complete"

// complete prints what fits. It never fails: a shell has no use for errors.
func (inv *invocation) complete(words []string) error {
	if len(words) == 0 {
		words = []string{""}
	}
	done, current := words[:len(words)-1], words[len(words)-1]
	var b strings.Builder
	for _, c := range inv.fitting(newApp(inv), done, current) {
		b.WriteString(output.Text(c.text))
		if c.explanation != "" {
			b.WriteString("\t" + output.Text(c.explanation))
		}
		b.WriteByte('\n')
	}
	return inv.print(b.String())
}

// fitting returns the candidates that begin with what is typed.
func (inv *invocation) fitting(app *cli.App, done []string, current string) []candidate {
	all, head := inv.goOn(app, done, current)
	var fit []candidate
	for _, c := range all {
		switch {
		case c.text == directories:
			return []candidate{c}
		case strings.HasPrefix(head+c.text, current):
			fit = append(fit, candidate{head + c.text, c.explanation})
		}
	}
	return fit
}

// goOn returns all that could stand where current is; head is what current has
// before it.
func (inv *invocation) goOn(app *cli.App, done []string, current string) (all []candidate, head string) {
	read := lex(knownFlags(app), done)
	l := understood(app, read.tokens)
	inv.root, inv.socket = l.global("root"), noSocket // a shell waits for nobody
	name, value, assigned := strings.Cut(current, "=")
	switch {
	case read.open != "":
		return inv.flagValues(app, l.path, read.open, current), ""
	case slices.Contains(done, "--"):
		return inv.arguments(app, l, current), ""
	case assigned && strings.HasPrefix(name, "--"):
		return inv.flagValues(app, l.path, strings.TrimPrefix(name, "--"), value), name + "="
	case strings.HasPrefix(current, "-"):
		return flagCandidates(app, l.path), ""
	}
	return inv.arguments(app, l, current), ""
}

// understood is the line as far as tokens go and make sense.
func understood(app *cli.App, tokens []token) line {
	var l line
	l.take(tokens, app.Flags)
	l.help = true // a bare noun is to be completed, not to get its default verb
	if err := l.resolve(app); err != nil {
		l.path = nil
	}
	return l
}

// global returns the value that the line gives to a global flag, if it does.
func (l line) global(flag string) (value string) {
	for _, g := range l.globals {
		if v, ok := strings.CutPrefix(g, "--"+flag+"="); ok {
			value = v
		}
	}
	return value
}

// flagValues completes the value of a flag: of the command at path, if it has one
// of that name.
func (inv *invocation) flagValues(app *cli.App, path []string, name, prefix string) []candidate {
	flags := allFlags(app)
	if len(path) > 0 {
		flags = append(slices.Clone(find(app.Commands, path).Flags), flags...)
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			placeholder, _ := unquote(f)
			if placeholder == "FORMAT" {
				return plainCandidates(formatNames(verbAt(app, path)))
			}
			return inv.candidates(placeholder, prefix)
		}
	}
	return nil
}

// verbAt returns the verb at path, which a bare noun has too.
func verbAt(app *cli.App, path []string) string {
	verb := strings.Join(path, " ")
	if len(path) == 1 {
		if verbs := find(app.Commands, path).Subcommands; len(verbs) > 0 {
			verb += " " + verbs[0].Name
		}
	}
	return verb
}

// arguments completes a noun, a verb or an argument.
func (inv *invocation) arguments(app *cli.App, l line, current string) []candidate {
	if len(l.path) == 0 {
		if len(l.args) > 0 {
			return nil // the noun makes no sense, and nothing after it would
		}
		return commandCandidates(app.Commands)
	}
	c := find(app.Commands, l.path)
	switch {
	case len(c.Subcommands) > 0:
		return commandCandidates(c.Subcommands)
	case c.ArgsUsage == argsCommand:
		return helpCandidates(app, l.args)
	}
	return inv.candidates(c.ArgsUsage, current)
}

// helpCandidates completes what help takes: a noun and a verb.
func helpCandidates(app *cli.App, args []string) []candidate {
	if len(args) == 0 {
		return commandCandidates(app.Commands)
	}
	noun, err := match("command", args[0], app.Commands)
	if err != nil || len(args) > 1 {
		return nil
	}
	return commandCandidates(noun.Subcommands)
}
