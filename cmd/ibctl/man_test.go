package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

const manDir = "../../man"

// page is a manual page in mdoc(7), a slice of words for each line.
type page struct {
	name  string
	lines [][]string
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manDir, name))
	if err != nil {
		t.Fatal(err)
	}
	p := page{name: name}
	for line := range strings.Lines(string(text)) {
		p.lines = append(p.lines, strings.Fields(line))
	}
	return p
}

func isMacro(word string) bool { return regexp.MustCompile(`^\.?[A-Z][a-z]$`).MatchString(word) }

// after collects the words behind a macro, up to the next one; punctuation is
// left out.
func (p page) after(macro string) []string {
	var words []string
	for _, line := range p.lines {
		collecting := false
		for i, w := range line {
			switch {
			case isMacro(w) && (i > 0 || w[0] == '.'):
				collecting = strings.TrimPrefix(w, ".") == macro
			case collecting && !regexp.MustCompile(`^[][|,.:;()"]+$`).MatchString(w):
				words = append(words, w)
			}
		}
	}
	return words
}

// section returns the part of the page below a heading.
func (p page) section(heading string) page {
	out := page{name: p.name + ", " + heading}
	inside := false
	for _, line := range p.lines {
		if len(line) > 0 && line[0] == ".Sh" {
			inside = strings.Join(line[1:], " ") == heading
		} else if inside {
			out.lines = append(out.lines, line)
		}
	}
	return out
}

// pageOf returns the page that manual names: ibctl-dev(8) is ibctl-dev.8.
func pageOf(t *testing.T, noun string) page {
	return readPage(t, strings.NewReplacer("(", ".", ")", "").Replace(manual(noun)))
}

// TestManualHasEveryCommandAndFlag: what ibctl accepts is explained.
func TestManualHasEveryCommandAndFlag(t *testing.T) {
	app := testApp()
	main := readPage(t, "ibctl.8")
	wantWords(t, main, "Fl", flagWords(app.Flags))
	for _, noun := range app.Commands {
		wantWords(t, main.section("COMMANDS"), "Cm", []string{noun.Name})
		p := pageOf(t, noun.Name)
		wantWords(t, p, "Fl", flagWords(noun.Flags))
		for _, verb := range noun.Subcommands {
			wantWords(t, p.section("SYNOPSIS"), "Cm", verb.Names())
			wantWords(t, p.section("DESCRIPTION"), "Cm", verb.Names())
			wantWords(t, p, "Fl", flagWords(verb.Flags))
		}
	}
}

func wantWords(t *testing.T, p page, macro string, words []string) {
	t.Helper()
	have := p.after(macro)
	for _, w := range words {
		if !slices.Contains(have, w) {
			t.Errorf("%s: no .%s %s", p.name, macro, w)
		}
	}
}

// flagWords returns the names of flags as mdoc's Fl wants them: o, -output.
func flagWords(flags []cli.Flag) []string {
	var words []string
	for _, f := range flags {
		for _, name := range f.Names() {
			if len(name) > 1 {
				name = "-" + name
			}
			words = append(words, name)
		}
	}
	return words
}

// TestManualNamesNothingElse: what is explained is accepted.
func TestManualNamesNothingElse(t *testing.T) {
	app := testApp()
	table := knownFlags(app)
	commands := shells()
	for _, noun := range app.Commands {
		commands = append(commands, noun.Names()...)
		commands = append(commands, names(noun.Subcommands)...)
	}
	for _, name := range pages(t) {
		p := readPage(t, name)
		for _, w := range p.after("Fl") {
			if read := lex(table, []string{"-" + w}); read.err != nil && read.open == "" {
				t.Errorf("%s: -%s: %v", name, w, read.err)
			}
		}
		for _, w := range p.section("SYNOPSIS").after("Cm") {
			if !slices.Contains(commands, w) {
				t.Errorf("%s: there is no command %s", p.name, w)
			}
		}
	}
}

// pages lists the pages about commands, which are those of this package.
func pages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(manDir + "/ibctl*.8")
	if err != nil || len(files) < 4 {
		t.Fatalf("pages: %v, %v", files, err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return files
}

// allPages lists those of the other sections, too.
func allPages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(manDir + "/ibctl*.[57]")
	if err != nil || len(files) < 3 {
		t.Fatalf("pages: %v, %v", files, err)
	}
	all := pages(t)
	for _, f := range files {
		all = append(all, filepath.Base(f))
	}
	return all
}

// TestManualExplainsEveryExitCode, and none that does not exist.
func TestManualExplainsEveryExitCode(t *testing.T) {
	want := []string{"0", "130", "143", fmt.Sprint(exitClosedPipe)}
	for _, row := range exits() {
		want = append(want, fmt.Sprint(row.code))
	}
	var have []string
	for _, line := range readPage(t, "ibctl.8").section("EXIT STATUS").lines {
		if len(line) > 1 && line[0] == ".It" {
			have = append(have, strings.FieldsFunc(strings.Join(line[1:], " "), func(r rune) bool { return r == ',' || r == ' ' })...)
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("exit codes in ibctl.8: %v, want %v", have, want)
	}
}

// TestPagesAreWhole: each has the sections that readers look for.
func TestPagesAreWhole(t *testing.T) {
	for _, name := range pages(t) {
		p := readPage(t, name)
		for _, heading := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"} {
			if len(p.section(heading).lines) < 2 {
				t.Errorf("%s: section %s is missing or empty", name, heading)
			}
		}
	}
}

// TestPagesPassLint runs mandoc's checks. Whether it finds other pages depends
// on the machine; ours are looked for here.
func TestPagesPassLint(t *testing.T) {
	for _, name := range allPages(t) {
		out, err := exec.Command("mandoc", "-T", "lint", "-W", "style", filepath.Join(manDir, name)).Output()
		if len(out) == 0 && err != nil {
			t.Fatalf("mandoc: %v; make deps installs it", err)
		}
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "referenced manual not found") {
				t.Error(strings.TrimSpace(line))
			}
		}
		checkReferences(t, name)
	}
}

// checkReferences looks for the pages of ours that a page refers to.
func checkReferences(t *testing.T, name string) {
	t.Helper()
	for _, line := range readPage(t, name).lines {
		if len(line) > 2 && line[0] == ".Xr" && strings.HasPrefix(line[1], "ibctl") {
			if _, err := os.Stat(filepath.Join(manDir, line[1]+"."+line[2])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
