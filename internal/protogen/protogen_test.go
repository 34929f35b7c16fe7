package protogen

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inTheMaking are contracts that no release has promised yet. Freeze one by
//
//	go run ./internal/protogen/gen -freeze FILE
//
// and take it off the list.
var inTheMaking = []string{"plugins/cm/cmv1/cm.proto", "plugins/roce/rocev1/audit.proto"}

func moduleFiles(t *testing.T) (root string, files []string) {
	t.Helper()
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err = Files(root)
	if err != nil || !slices.Contains(files, "core/plugin/pluginv1/plugin.proto") {
		t.Fatalf("files %v, %v", files, err)
	}
	return root, files
}

// TestGeneratedIsCurrent: what is committed is what the .proto files say, and
// nothing else is.
func TestGeneratedIsCurrent(t *testing.T) {
	root, files := moduleFiles(t)
	current := make(map[string]bool)
	for _, file := range files {
		out, err := Generate(t.Context(), root, file)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range out {
			current[name] = true
			got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what %s makes (%v): run go generate", name, file, err)
			}
		}
	}
	outputs, err := Outputs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range outputs {
		if !current[name] {
			t.Errorf("%s comes of no .proto file", name)
		}
	}
}

// TestKeptPromises: no contract has changed in what it promised.
func TestKeptPromises(t *testing.T) {
	root, files := moduleFiles(t)
	for _, file := range files {
		frozen, err := Frozen(root, file)
		switch making := slices.Contains(inTheMaking, file); {
		case errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(file, "internal/"):
			continue // spoken among processes of one release
		case errors.Is(err, fs.ErrNotExist) && making:
			continue
		case errors.Is(err, fs.ErrNotExist):
			t.Errorf("%s: not frozen, and not in the making", file)
			continue
		case err != nil:
			t.Fatal(err)
		case making:
			t.Errorf("%s: frozen, and no longer in the making", file)
		}
		now, err := Describe(t.Context(), root, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range Breaks(frozen, now) {
			t.Errorf("%s: %s", file, b)
		}
	}
}
