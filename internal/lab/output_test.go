package lab

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

const guestOutput = `=== RUN   TestA
    a_test.go:1: a message
--- PASS: TestA (0.01s)
=== RUN   TestB
=== RUN   TestB/sub
--- FAIL: TestB (0.02s)
    --- FAIL: TestB/sub (0.02s)
=== NAME  TestC
--- SKIP: TestC (0.00s)
lab: a line of our own
FAIL
no end of line`

func TestTestOutput(t *testing.T) {
	for _, c := range []struct {
		name    string
		verbose bool
		in      string
		want    string
	}{
		{"verbose", true, guestOutput, `=== RUN   linux-7.x/TestA
    a_test.go:1: a message
--- PASS: linux-7.x/TestA (0.01s)
=== RUN   linux-7.x/TestB
=== RUN   linux-7.x/TestB/sub
--- FAIL: linux-7.x/TestB (0.02s)
    --- FAIL: linux-7.x/TestB/sub (0.02s)
=== NAME  linux-7.x/TestC
--- SKIP: linux-7.x/TestC (0.00s)
lab: a line of our own
no end of line
`},
		{"quiet", false, guestOutput, `    a_test.go:1: a message
--- FAIL: linux-7.x/TestB (0.02s)
    --- FAIL: linux-7.x/TestB/sub (0.02s)
--- SKIP: linux-7.x/TestC (0.00s)
lab: a line of our own
no end of line
`},
		{"test2json", true, "\x16=== RUN   TestB\n\x16--- FAIL: TestB (1s)\n\x16FAIL\n", "\x16=== RUN   linux-7.x/TestB\n\x16--- FAIL: linux-7.x/TestB (1s)\n"},
	} {
		for _, size := range []int{1, 7, 10000} {
			var out bytes.Buffer
			o := &testOutput{w: &out, kernel: "7.x", verbose: c.verbose}
			for chunk := range slices.Chunk([]byte(c.in), size) {
				if _, err := o.Write(chunk); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.flush(); err != nil || out.String() != c.want {
				t.Errorf("%s, by %d bytes: %v\n%q, want\n%q", c.name, size, err, out.String(), c.want)
			}
			if len(o.failed) != 1 || o.failed[0].test != "TestB" {
				t.Errorf("%s: failed %q", c.name, o.failed)
			}
		}
	}
}

// What is told at the end of all: every kernel that failed, with the last words of its failures and of nothing else.
func TestRetell(t *testing.T) {
	var discard, out bytes.Buffer
	o := &testOutput{w: &discard, kernel: "7.x", verbose: true}
	for _, line := range []string{
		"=== RUN   TestA", "    a_test.go:1: of a test that passes", "--- PASS: TestA (0.01s)",
		"=== RUN   TestB", "    b_test.go:1: long ago", "=== RUN   TestB/sub", "    b_test.go:2: 2", "    b_test.go:3: 3", "    b_test.go:4: 4", "    b_test.go:5: 5",
		"    b_test.go:6: 6", "    b_test.go:7: 7", "    b_test.go:8: 8", "    b_test.go:9: 9", "--- FAIL: TestB (0.02s)", "    --- FAIL: TestB/sub (0.02s)",
		"=== RUN   TestC", "--- FAIL: TestC (0.02s)",
	} {
		if _, err := o.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	outcomes := []outcome{{passed: true, verdict: "lab: kernel 6.12: passed"}, {verdict: "lab: kernel 7.x: FAILED", failed: o.failed}}
	if retell(&out, []depot.Series{"6.12", "7.x"}, outcomes) {
		t.Error("all passed")
	}
	want := `lab: kernel 7.x: FAILED
FAIL: linux-7.x/TestB, which said last:
    b_test.go:2: 2
    b_test.go:3: 3
    b_test.go:4: 4
    b_test.go:5: 5
    b_test.go:6: 6
    b_test.go:7: 7
    b_test.go:8: 8
    b_test.go:9: 9
FAIL: linux-7.x/TestC, which said last:

`
	if out.String() != want {
		t.Errorf("told\n%s, want\n%s", &out, want)
	}
	if out.Reset(); !retell(&out, []depot.Series{"6.12"}, outcomes[:1]) || out.Len() > 0 {
		t.Errorf("of kernels that passed: %q", &out)
	}
}
