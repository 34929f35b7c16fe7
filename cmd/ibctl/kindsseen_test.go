package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/schematest"
)

// checkKindsSeen lists the schemas that no script has put to the test: a kind must
// have been printed, or be one that only a kernel can answer in.
func checkKindsSeen(t *testing.T, dir string) {
	t.Helper()
	for _, kind := range output.Kinds() {
		_, err := os.Stat(filepath.Join(dir, kind))
		labOnly := slices.Contains(schematest.LabOnly(), kind)
		switch {
		case err != nil && !labOnly:
			t.Errorf("no script prints a document of kind %s", kind)
		case err == nil && labOnly:
			t.Errorf("kind %s is said to need a kernel, and a script prints it", kind)
		}
	}
	for _, kind := range schematest.LabOnly() {
		if !slices.Contains(output.Kinds(), kind) {
			t.Errorf("there is no kind %s", kind)
		}
	}
}
