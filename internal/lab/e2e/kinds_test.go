package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/schematest"
)

// kindCommands print a document of each kind that only a kernel can answer in.
var kindCommands = []string{
	"cm list", "cm mode rxea", "cm ping " + hostB + " --from " + hostA + " -c 1 -W 30", "cm resolve " + hostB + " --from " + hostA, "stat mode", "stat qp", "stat mr --all", "dev holders",
	"res list", "res list --by comm", "res qp", "res cq", "res mr", "res pd", "res ctx", "res srq", "res cm-id",
	"system show", "system set netns exclusive --dry-run", "dev drain rxea --dry-run",
}

// TestKinds prints a document of every kind that the scripts of cmd/ibctl cannot
// print: each is held against its schema, and none is left out.
func TestKinds(t *testing.T) {
	onOneKernel(t)
	oneNamespace(t)
	rpingServer(t, hostB, "7174")
	batch := filepath.Join(t.TempDir(), "kinds.batch")
	if err := os.WriteFile(batch, []byte(strings.Join(kindCommands, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var seen []string
	check := func(args []string, stdout, stderr string) {
		kinds, err := schematest.Check(args, stdout, stderr)
		if err != nil {
			t.Error(err)
		}
		if len(kinds) == 0 {
			t.Errorf("ibctl %q printed no kind:\n%s%s", args, stdout, stderr)
		}
		seen = append(seen, kinds...)
	}
	args := []string{"batch", "--force", "-o", "json", batch}
	r := ibctl(t, "", args...)
	check(args, r.stdout, r.stderr)
	for _, args := range [][]string{{"gid", "watch", "--present", "-o", "jsonl"}, {"cm", "listen", "-o", "jsonl"}} {
		b := startProgram(t, "ibctl", args...)
		select {
		case line := <-b.lines:
			check(args, line+"\n", "")
		case <-time.After(patience):
			t.Errorf("ibctl %q prints nothing", args)
		}
		b.stop(os.Interrupt)
	}
	for _, kind := range schematest.LabOnly() {
		if !slices.Contains(seen, kind) {
			t.Errorf("kind %s was not printed", kind)
		}
		if !slices.Contains(output.Kinds(), kind) {
			t.Errorf("there is no kind %s", kind)
		}
	}
}

// TestRaw: soft RoCE has no records of its own. Whoever names the device is told
// so in exit code 69, the objects are printed all the same, and who may not ask is
// told that.
func TestRaw(t *testing.T) {
	oneHCA().Up(t)
	for _, kind := range []string{"cq", "qp"} {
		r := ibctl(t, "", "res", kind, "rxe0", "--raw", "-o", "json")
		want := map[string]int{"cq": 69, "qp": 0}[kind] // the one queue pair is of management, and not found by its number
		if r.code != want || !strings.Contains(r.stdout, `"device": "rxe0"`) {
			t.Errorf("res %s --raw: exit code %d, want %d\n%s%s", kind, r.code, want, r.stdout, r.stderr)
		}
	}
	if r := ibctl(t, "", "res", "cq", "--raw"); r.code != 0 || !strings.Contains(r.stderr, "no raw record") || !strings.Contains(r.stdout, "rxe0/cq/0") {
		t.Errorf("of all devices: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := asNobody(t, "res", "cq", "rxe0", "--raw"); r.code != 77 {
		t.Errorf("nobody: exit code %d\n%s", r.code, r.stderr)
	}
}
