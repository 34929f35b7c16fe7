package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
)

// example is what a display of a manual page shows: commands, each with what it
// prints, and the situation in which they do.
type example struct {
	situation string
	commands  []exampleCommand
}

type exampleCommand struct{ line, output string }

// TestCLIManualExamples runs every command in the EXAMPLES of the pages that have
// any (that of the configuration has a file), on the topology on which their output
// was made, and compares it in form: numbers and addresses differ from boot to boot.
// Left out are displays that are set in, which take a Go toolchain: the plugin of
// which they tell, plugins/example, has them run.
func TestCLIManualExamples(t *testing.T) {
	onOneKernel(t)
	lab.Demo().Up(t)
	var later []func() // what happens meanwhile may leave devices in another order
	pages, err := filepath.Glob("../../../man/ibctl*.[78]")
	if err != nil || len(pages) < 4 {
		t.Fatalf("pages: %v, %v", pages, err)
	}
	for _, page := range pages {
		examples := examplesOf(t, page)
		if len(examples) == 0 && filepath.Ext(page) == ".8" {
			t.Errorf("%s has no examples", page)
		}
		for _, e := range examples {
			if situations[e.situation].meanwhile != nil {
				later = append(later, func() { t.Run(filepath.Base(page), e.try) })
				continue
			}
			t.Run(filepath.Base(page), e.try)
		}
	}
	for _, run := range later {
		run()
	}
}

func (e example) try(t *testing.T) {
	s, ok := situations[e.situation]
	if !ok {
		t.Fatalf("nothing is known of the situation %q", e.situation)
	}
	if s.kernels != "" && !regexp.MustCompile(s.kernels).MatchString(kernelSeries()) {
		t.Skipf("the page shows what other kernels than %s print", kernelSeries())
	}
	if s.begin != nil {
		s.begin(t)
	}
	for _, c := range e.commands {
		printed := c.run
		if s.meanwhile != nil {
			printed = func(t *testing.T) string { return c.watch(t, s) }
		}
		if text := printed(t); form(text) != form(c.output) {
			t.Errorf("%s prints\n%s\nthe page has\n%s", c.line, text, c.output)
		}
	}
}

// run returns what the command prints.
func (c exampleCommand) run(t *testing.T) string {
	r := runCLI(t, exec.Command("sh", "-c", stretched(c.line)))
	return r.stdout + r.stderr
}

// clock is a time in a command within which something else has to be done.
var clock = regexp.MustCompile(`(sleep |--timeout )(\d+)`)

// stretched gives a command the time that an emulated processor, shared with others, may need.
func stretched(line string) string {
	return clock.ReplaceAllStringFunc(line, func(text string) string {
		m := clock.FindStringSubmatch(text)
		n, _ := strconv.Atoi(m[2]) // of digits
		return m[1] + strconv.Itoa(4*n)
	})
}

// watch returns what the command, which does not end by itself, prints of what
// happens meanwhile: so many lines as the page has.
func (c exampleCommand) watch(t *testing.T, s situation) string {
	program := startProgram(t, "sh", "-c", "exec "+c.line)
	awaitRest(t, program.cmd.Process.Pid)
	s.meanwhile(t)
	var text strings.Builder
	for range strings.Count(strings.TrimSpace(c.output), "\n") + 1 {
		select {
		case line := <-program.lines:
			text.WriteString(line + "\n")
		case <-program.done:
			t.Fatalf("%s has ended, after\n%s", c.line, &text)
		case <-time.After(patience):
			t.Fatalf("%s prints no more than\n%s", c.line, &text)
		}
	}
	program.stop(os.Interrupt)
	return text.String()
}

// situationMark begins the comment that names an example's situation.
const situationMark = `.\" situation: `

// examplesOf returns the examples of a page: in literal displays, commands after
// "# ", the first of them any and the others ibctl's, and below each what it prints.
func examplesOf(t *testing.T, page string) (examples []example) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n.Sh EXAMPLES\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	if strings.Contains(section, "-offset indent") && filepath.Base(page) != "ibctl-plugin.7" {
		t.Errorf("%s has a display that nobody runs", page)
	}
	displays := strings.Split(section, ".Bd -literal\n")
	for i, display := range displays[1:] {
		display, _, _ = strings.Cut(display+"\n", ".Ed\n") // the last has lost its end to the next heading
		display = strings.NewReplacer(`\e`, `\`, `\&`, "").Replace(display)
		e := example{commands: commandsOf(display)}
		before := strings.Split(strings.TrimSpace(displays[i]), "\n")
		e.situation, _ = strings.CutPrefix(before[len(before)-1], situationMark)
		if !strings.HasPrefix(before[len(before)-1], situationMark) {
			e.situation = ""
		}
		examples = append(examples, e)
	}
	return examples
}

func commandsOf(display string) (commands []exampleCommand) {
	for i, part := range strings.Split("\n"+display, "\n# ibctl ") {
		if i > 0 {
			part = "ibctl " + part
		} else if part = strings.TrimPrefix(strings.TrimPrefix(part, "\n"), "# "); part == "" {
			continue
		}
		line, output, _ := strings.Cut(part, "\n")
		commands = append(commands, exampleCommand{line, output})
	}
	return commands
}

var (
	addresses  = regexp.MustCompile(`\b[0-9a-f]{4}(:[0-9a-f]{4}){3,7}\b`)
	linkLocals = regexp.MustCompile(`\bfe80::[0-9a-f:]+\b`)
	numbers    = regexp.MustCompile(`[0-9]+`)
	blanks     = regexp.MustCompile(` +`)
	// Only 6.1 gives soft RoCE a device for subnet managers.
	issm = regexp.MustCompile(`/dev/infiniband/issm[0-9]+ `)
	// What soft RoCE can do since 6.2.
	flush = regexp.MustCompile(` FLUSH_GLOBAL FLUSH_PERSISTENT ATOMIC_WRITE`)
	// The topology's namespaces are kept by their mounts, and by this process.
	ownDescriptor = regexp.MustCompile(`[0-9]+ +e2e\.test +a descriptor`)
)

// form is a text without what differs from boot to boot and from kernel to
// kernel.
func form(text string) string {
	text = issm.ReplaceAllString(text, "")
	text = flush.ReplaceAllString(text, "")
	text = ownDescriptor.ReplaceAllString(text, "- - a mount")
	// First those that may be written shorter: the others' pattern fits their ends, where no group begins with a zero.
	text = linkLocals.ReplaceAllString(text, "ADDRESS")
	text = addresses.ReplaceAllString(text, "ADDRESS")
	text = numbers.ReplaceAllString(text, "N")
	return strings.TrimSpace(blanks.ReplaceAllString(text, " "))
}

// TestOtherTools runs the counterparts of other tools' commands in ibctl.8, but for
// those with words in capitals, which stand for something: cmd/ibctl holds them
// against its grammar.
func TestOtherTools(t *testing.T) {
	onOneKernel(t)
	lab.Demo().Up(t)
	text, err := os.ReadFile("../../../man/ibctl.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n.Sh COMING FROM OTHER TOOLS\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	placeholder := regexp.MustCompile(`\b[A-Z]{2,}\b`)
	var commands []string
	for _, line := range regexp.MustCompile(`(?m)^\.Ic ibctl (.*)$`).FindAllStringSubmatch(section, -1) {
		command := strings.ReplaceAll(line[1], `\-`, "-")
		if !placeholder.MatchString(command) && !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	if len(commands) < 30 {
		t.Errorf("only %d commands are run: %v", len(commands), commands)
	}
	runAll(t, commands)
}

// runAll runs commands in one batch; each must succeed.
func runAll(t *testing.T, commands []string) {
	t.Helper()
	if series, _ := lab.Inside(); series == "6.1" { // which sends no events
		commands = slices.DeleteFunc(commands, func(c string) bool { return strings.HasPrefix(c, "events -o rdma-json") })
	}
	file := filepath.Join(t.TempDir(), "commands.batch")
	if err := os.WriteFile(file, []byte(strings.Join(commands, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := ibctl(t, "", "batch", "--force", file); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}
