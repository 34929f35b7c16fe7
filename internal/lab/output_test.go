package lab

import (
	"bytes"
	"slices"
	"strings"
	"testing"
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
			if got := strings.Join(o.failed, " "); got != "TestB" {
				t.Errorf("%s: failed %q", c.name, got)
			}
		}
	}
}
