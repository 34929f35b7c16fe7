package lab

import (
	"os"
	"strings"
	"testing"
)

// TestBuiltAsInstalled holds the flags of what is tested against those of what is installed.
func TestBuiltAsInstalled(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"TAGS := " + buildTags, "LDFLAGS := " + linkFlags + " $(VERSION:%=-X main.version=%)"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("the Makefile has no line %q", line)
		}
	}
}
