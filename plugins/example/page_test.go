package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPageExamples runs the examples of ibctl-plugin(7), which are about this
// plugin: what is typed after "$ " prints what stands below. The conformance kit
// takes its time and is run beside this test anyway, so it is only looked for.
func TestPageExamples(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "man/ibctl-plugin.7"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n.Sh EXAMPLES\n")
	displays := strings.Split(section, "\n.Bd -literal -offset indent\n")[1:]
	if len(displays) != 2 {
		t.Fatalf("%d displays, want that of the build and that of the kit", len(displays))
	}
	typed, printed := typedAndPrinted(displays[0])
	// The page is about the module's directory, where nothing is to be left.
	script := "cd '" + t.TempDir() + "'\ngo() { command go build -C '" + root + "' -o \"$PWD/$3\" \"$4\"; }\n" + typed
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil || string(out) != printed {
		t.Errorf("%v\n%sthe page has\n%s", err, out, printed)
	}
	typed, _ = typedAndPrinted(displays[1])
	list := exec.Command("sh", "-c", strings.Replace(typed, "-run", "-list", 1))
	list.Dir = root
	out, err = list.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "TestConformance\nok") {
		t.Errorf("%s: %v\n%s", list, err, out)
	}
}

// typedAndPrinted takes a display apart.
func typedAndPrinted(display string) (typed, printed string) {
	display, _, _ = strings.Cut(display, "\n.Ed")
	for line := range strings.Lines(strings.ReplaceAll(display, `\&`, "") + "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			typed += command
		} else {
			printed += line
		}
	}
	return typed, printed
}
