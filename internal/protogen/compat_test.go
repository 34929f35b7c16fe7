package protogen

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"
)

const contract = `syntax = "proto3";
package p;
service S { rpc Ask(Question) returns (stream Answer); }
message Question { string text = 1; repeated uint32 ports = 2; oneof way { string by = 3; } optional uint32 port = 4; }
message Answer { message Part { bytes b = 1; } Part part = 1; enum Kind { NONE = 0; GOOD = 1; } Kind kind = 2; }
enum Color { BLACK = 0; RED = 1; }
`

func describe(t *testing.T, text string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "c.proto"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	desc, err := Describe(context.Background(), root, "c.proto")
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

func TestBreaks(t *testing.T) {
	tests := []struct {
		what, old, new string
		want           string // empty where nothing breaks
	}{
		{"nothing", "", "", ""},
		{"a new field", "text = 1;", "text = 1; string more = 9;", ""},
		{"a new method", "rpc Ask", "rpc Tell(Answer) returns (Answer); rpc Ask", ""},
		{"a new value", "RED = 1;", "RED = 1; BLUE = 2;", ""},
		{"a new alternative", "string by = 3;", "string by = 3; string via = 5;", ""},
		{"package", "package p", "package q", "package: q, was p"},
		{"number", "text = 1", "text = 7", "Question.text number: 7, was 1"},
		{"name", "string text", "string words", "Question.text: gone"},
		{"type", "string text", "bytes text", "Question.text type: TYPE_BYTES, was TYPE_STRING"},
		{"label", "repeated uint32 ports", "uint32 ports", "Question.ports label"},
		{"presence", "optional uint32 port", "uint32 port", "Question.port optional: false, was true"},
		{"oneof", "oneof way { string by = 3; }", "string by = 3;", "Question.by oneof: , was way"},
		{"a nested field", "bytes b = 1;", "", "Answer.Part.b: gone"},
		{"a nested value", " GOOD = 1;", " GOOD = 3;", "Answer.Kind.GOOD number: 3, was 1"},
		{"a type's name", "Part part = 1;", "Question part = 1;", "Answer.part type name: .p.Question, was .p.Answer.Part"},
		{"an enum", "enum Color { BLACK = 0; RED = 1; }", "", "Color: gone"},
		{"a method", "rpc Ask(Question) returns (stream Answer);", "", "S.Ask: gone"},
		{"streaming", "stream Answer", "Answer", "S.Ask server streaming: false, was true"},
		{"input", "Ask(Question)", "Ask(Answer)", "S.Ask input: .p.Answer, was .p.Question"},
	}
	frozen := describe(t, contract)
	for _, tt := range tests {
		got := Breaks(frozen, describe(t, strings.Replace(contract, tt.old, tt.new, 1)))
		if tt.want == "" && len(got) > 0 {
			t.Errorf("%s: breaks %q, want none", tt.what, got)
		}
		if tt.want != "" && !slices.ContainsFunc(got, func(b string) bool { return strings.Contains(b, tt.want) }) {
			t.Errorf("%s: breaks %q, want %q", tt.what, got, tt.want)
		}
	}
}

// TestFreeze: what is frozen is read back as it was.
func TestFreeze(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "c.proto"), []byte(contract), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Freeze(t.Context(), root, "c.proto"); err != nil {
		t.Fatal(err)
	}
	frozen, err := Frozen(root, "c.proto")
	if err != nil {
		t.Fatal(err)
	}
	if got := Breaks(describe(t, contract), frozen); len(got) > 0 {
		t.Errorf("breaks %q", got)
	}
}
