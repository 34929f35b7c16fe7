package output

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ibctl/ibctl/core/rdma"
	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// FuzzEncoders sends any text through every encoder: the result is valid in its
// format, says the same, and holds nothing that a terminal obeys.
func FuzzEncoders(f *testing.F) {
	for _, s := range []string{
		"", "rxe0", "yes", "NO", "~", "null", "0x1f", "1e3", "0000:01:00.0", "190:20:30", "-", "- a", "a: b", "a #b", "---", "...", "!!int 3",
		"&a", "*a", "|", ">", "%TAG", "@x", "`x", "{a}", "[a]", "a\nb", "a\r\nb\n\n", " a ", "\ta", "\"", "'", `\`, "<&>", "=", "<<",
		"\x00", "\x1b[2J", "\x7f", "\u0085", "\u009b", "\u2028", "\u202e", "\ufeff", "\ufffe", "\U000e0001", "\U0010ffff", "\xff", "\xed\xa0\x80", "日本", "e\u0301",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := things([]thing{{Device: s, Port: 1, GID: someGID, Netdev: s}}, rdma.Warning{Object: s, Op: s, Err: errors.New(s)})
		doc := checkJSON(t, r, s)
		checkYAML(t, r, doc)
		checkLines(t, r)
	})
}

func checkJSON(t *testing.T, r Result[thing], s string) (doc any) {
	out, _ := show(t, JSON, r)
	checkSafe(t, out)
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got struct{ Items []thing }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got.Items[0].Device != want {
		t.Errorf("JSON says %q, want %q", got.Items[0].Device, want)
	}
	return doc
}

// checkYAML holds the YAML against the JSON, as two parsers read it: one for
// YAML 1.2 and one that still knows the words and numbers of 1.1.
func checkYAML(t *testing.T, r Result[thing], want any) {
	out, _ := show(t, YAML, r)
	checkSafe(t, out)
	var got, old any
	if err := yaml.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := kyaml.Unmarshal([]byte(out), &old); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	asJSON, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(asJSON, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, want) || !reflect.DeepEqual(old, want) {
		t.Errorf("YAML says %v and %v, JSON %v\n%s", again, old, want, out)
	}
}

func checkLines(t *testing.T, r Result[thing]) {
	for format, lines := range map[Format]int{Table: 2, Wide: 2, Name: 1, JSONL: 1} {
		out, stderr := show(t, format, r)
		checkSafe(t, out)
		checkSafe(t, stderr)
		if n := strings.Count(out, "\n"); n != lines {
			t.Errorf("-o %s: %d lines, want %d: %q", format, n, lines, out)
		}
		if n := strings.Count(stderr, "\n"); n != 1 {
			t.Errorf("-o %s: %d lines on stderr, want 1: %q", format, n, stderr)
		}
		if format == JSONL && !(json.Valid([]byte(out)) && json.Valid([]byte(stderr))) {
			t.Errorf("not JSON: %q %q", out, stderr)
		}
	}
}

func checkSafe(t *testing.T, out string) {
	if unsafeRune(out) || !utf8.ValidString(out) {
		t.Errorf("a terminal would obey this: %q", out)
	}
}
