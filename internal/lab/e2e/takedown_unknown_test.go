package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDrainedUnknown: whether a device is drained cannot be read. No client is added to it, whoever asks is told which file it is about,
// and undrain ends that.
func TestDrainedUnknown(t *testing.T) {
	oneHCA().Up(t)
	const unknown = "read whether rxe0 is drained: "
	damage := func() string {
		t.Helper()
		must(t, 0, "", "dev", "drain", "rxe0")
		records, _ := filepath.Glob("/run/ibctl/drained/[0-9]*")
		if len(records) != 1 {
			t.Fatalf("records: %q", records)
		}
		if err := os.WriteFile(records[0], []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		return unknown + records[0] + ": "
	}

	text := damage()
	must(t, 1, text, "gid", "show", "rxe0")
	must(t, 0, "warning: rxe0: tell whether it is drained: "+text, "dev", "list")
	must(t, 0, "warning: rxe0: undrain: "+text, "dev", "undrain", "rxe0")
	must(t, 0, "", "gid", "show", "rxe0")

	text = damage()
	s := serve(t, "")
	if on := s.onDevice(t, "rxe0"); len(on) > 0 {
		t.Errorf("it may be drained, and %q are on it", on)
	}
	if log := s.said(); !strings.Contains(log, text) || !strings.Contains(log, "before ibctl dev undrain rxe0") {
		t.Errorf("ibctl serve says\n%s", log)
	}
	must(t, 1, text, "gid", "show", "rxe0")
	must(t, 0, "the record is removed", "dev", "undrain", "rxe0")
	s.becomesSame(t, "undrain")

	// Who cannot get at the records knows no better.
	if err := os.Chmod("/run/ibctl", 0o700); err != nil {
		t.Fatal(err)
	}
	if r := as(t, 1000, 1000, "dev", "list"); r.code != 0 || !strings.Contains(r.stderr, unknown) || !strings.Contains(r.stderr, "permission denied") {
		t.Errorf("shut out: %+v", r)
	}
	must(t, 0, "", "dev", "drain", "rxe0") // root lets others in
	if r := as(t, 1000, 1000, "dev", "show", "rxe0"); r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "drained since") {
		t.Errorf("let in: %+v", r)
	}
}
