package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func testApp() *cli.App { return newApp(&invocation{format: defaultFormat}) }

// parseAnywhere parses a line for itself and as one of a batch, which must come to the same.
func parseAnywhere(t *testing.T, in string) (line, error) {
	t.Helper()
	words := strings.Fields(in)
	l, err := parseLine(testApp(), words)
	app, known := (&invocation{lines: &batchLines{flags: knownFlags(testApp())}}).commands(words)
	if inBatch, batchErr := parseWith(app, known, words); !reflect.DeepEqual(inBatch, l) || !reflect.DeepEqual(batchErr, err) {
		t.Errorf("%s: in a batch %+v, %v; alone %+v, %v", in, inBatch, batchErr, l, err)
	}
	return l, err
}

// A line of a batch finds its noun by the name in the list.
func TestNounsHaveTheirNames(t *testing.T) {
	for _, n := range nouns() {
		if got := n.make(&invocation{}).Name; got != n.name {
			t.Errorf("%s makes %s", n.name, got)
		}
	}
}

func TestLineIsBroughtInOrder(t *testing.T) {
	for in, want := range map[string]string{
		"dev":                             "dev list --",
		"dev list":                        "dev list --",
		"d l":                             "dev list --",
		"d sh rxe0 -j":                    "--json dev show -- rxe0",
		"gid":                             "gid show --",
		"gid list":                        "gid show --",
		"gid s rxe0 --type v2 -o json":    "--output=json gid show --type=v2 -- rxe0",
		"--type v2 gid":                   "gid show --type=v2 --",
		"-ojson gid -ja":                  "--output=json --json gid show --all --",
		"-o=yaml dev":                     "--output=yaml dev list --",
		"-output yaml dev":                "--output=yaml dev list --",
		"dev -timeout=3s -verbose":        "--timeout=3s --verbose dev list --",
		"--root /x dev rxe0":              "", // rxe0 is no verb
		"dev list --root=/x=y rxe0 #3":    "--root=/x=y dev list -- rxe0 #3",
		"dev list -- -j":                  "dev list -- -j",
		"dev list -":                      "dev list -- -",
		"-- dev list -j":                  "dev list -- -j",
		"dev list --no-headers=false a b": "--no-headers=false dev list -- a b",
		"version":                         "version --",
		"v":                               "version --",
		"help dev":                        "help -- dev",
		"dev list -o table -o json":       "--output=table --output=json dev list --",
		"gid show --netdev -j":            "gid show --netdev=-j --",
	} {
		l, err := parseAnywhere(t, in)
		got := strings.TrimPrefix(strings.Join(l.canonical(), " "), "ibctl ")
		if want == "" {
			if err == nil {
				t.Errorf("%s: understood as %q, want an error", in, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestLineThatMakesNoSense(t *testing.T) {
	for in, want := range map[string]usageError{
		"":                    {problem: "no command given"},
		"-j":                  {problem: "no command given"},
		"c":                   {problem: `command "c" is ambiguous`, candidates: []string{"cm", "client", "completion"}},
		"gdi":                 {problem: `no command "gdi"`, hint: `did you mean "gid"?`},
		"dev shwo":            {problem: `no dev verb "shwo"`, hint: `did you mean "show"?`},
		"dev rxe0":            {problem: `no dev verb "rxe0"`, hint: "there is list, show, holders, drain, undrain, remove, add, set, rename, netns, bind"},
		"dev list --typ=v2":   {problem: "no flag --typ", hint: `did you mean "--type"?`},
		"dev list --type v2":  {problem: "ibctl dev list has no flag --type", hint: "ibctl help dev list lists its flags"},
		"dev list -x":         {problem: "no flag -x"},
		"dev list -jx":        {problem: "no flag -jx"},
		"dev list --o json":   {problem: "no flag --o"},
		"dev list -o":         {problem: "-o needs a value"},
		"dev list --timeout":  {problem: "--timeout needs a value"},
		"dev list ---":        {problem: "no flag ---"},
		"dev list -é":         {problem: "no flag -é"},
		"frobnicate -o jsonx": {problem: `no command "frobnicate"`},
	} {
		_, err := parseAnywhere(t, in)
		var got *usageError
		if !errors.As(err, &got) {
			t.Errorf("%s: %v, want a usage error", in, err)
			continue
		}
		if got.problem != want.problem || strings.Join(got.candidates, " ") != strings.Join(want.candidates, " ") {
			t.Errorf("%s: %+v, want %+v", in, *got, want)
		}
		if want.hint != "" && got.hint != want.hint {
			t.Errorf("%s: hint %q, want %q", in, got.hint, want.hint)
		}
	}
}

// TestFormatOfABrokenLine: an error is to be told in the format that was asked
// for, wherever on the line that is.
func TestFormatOfABrokenLine(t *testing.T) {
	for in, want := range map[string]string{
		"frobnicate -o json": "json", "--nonsense dev -j": "json", "-o yaml x": "yaml",
		"-o nonsense x": "table", "x": "table", "-o json -o jsonl x": "jsonl", "-j -o yaml": "json",
	} {
		if l, _ := parseLine(testApp(), strings.Fields(in)); string(l.format()) != want {
			t.Errorf("%s: format %s, want %s", in, l.format(), want)
		}
	}
}

// TestHelpFlag finds out what the flag is asked about.
func TestHelpFlag(t *testing.T) {
	for in, want := range map[string]string{
		"--help": "", "-h": "", "dev -h": "dev", "d l -h": "dev list", "-h g s rxe0": "gid show", "gid help": "gid", "gid help show": "gid",
	} {
		l, err := parseLine(testApp(), strings.Fields(in))
		if got := strings.Join(l.path, " "); err != nil || !l.help || got != want {
			t.Errorf("%s: help %v on %q, %v; want %q", in, l.help, got, err, want)
		}
	}
}

// TestFlagsHaveOneShape: a flag that takes a value in one verb takes one in all,
// or a line could not be read from left to right.
func TestFlagsHaveOneShape(t *testing.T) {
	seen := map[string]flagKind{}
	for _, f := range allFlags(testApp()) {
		table := flagTable{}
		table.add([]cli.Flag{f})
		for name, kind := range table {
			if before, ok := seen[name]; ok && before != kind {
				t.Errorf("flag %s is %v in one place and %v in another", name, before, kind)
			}
			seen[name] = kind
		}
	}
}

// FuzzLine: no line makes the parser panic, and what it understands is understood
// the same way a second time.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"gid show rxe0 -j", "d l -o", "-ojson --", "--=", "-=x", "dev list --no-headers=", "- -- -", "help help help"} {
		f.Add(s)
	}
	app := testApp()
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseLine(app, strings.Split(s, " "))
		if err != nil || l.help {
			return
		}
		first := strings.Join(l.canonical(), " ")
		again, err := parseLine(app, l.canonical()[1:])
		if second := strings.Join(again.canonical(), " "); err != nil || first != second {
			t.Errorf("%q becomes %q, and that %q, %v", s, first, second, err)
		}
	})
}
