package bench

import (
	"reflect"
	"strings"
	"testing"
)

const printed = `goos: linux
goarch: amd64
pkg: github.com/ibctl/ibctl/core
cpu: some processor
BenchmarkAdd/devices=10-2         	  100	  5200 ns/op	      16 B/op	       1 allocs/op
BenchmarkAdd/devices=10-2         	  120	  5400 ns/op	      16 B/op	       1 allocs/op
BenchmarkAdd/devices=100-2        	   50	  2500000 ns/op
PASS
ok  	github.com/ibctl/ibctl/core	2.0s
goos: linux
goarch: amd64
pkg: github.com/ibctl/ibctl/internal/bench
cpu: some processor
BenchmarkRemove-2 	   10	  0.123 p50-ms	  0.456 p99-ms
--- FAIL: BenchmarkBroken
    plugin_test.go:10: no
`

func TestParse(t *testing.T) {
	var rest []string
	got, err := Parse(strings.NewReader(printed), func(line string) { rest = append(rest, line) })
	want := Report{
		Machine: []string{"goos: linux", "goarch: amd64", "cpu: some processor"},
		Figures: []Figure{
			{"core", "Add/devices=10", "ns/op", Series{5200, 5400}},
			{"core", "Add/devices=100", "ns/op", Series{2500000}},
			{"bench", "Remove", "p50-ms", Series{0.123}},
			{"bench", "Remove", "p99-ms", Series{0.456}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if len(rest) != 4 || rest[2] != "--- FAIL: BenchmarkBroken" {
		t.Errorf("other lines: %q", rest)
	}
}

func TestParseLeavesWhatIsNoResult(t *testing.T) {
	lines := []string{"BenchmarkAdd-2", "Benchmark of nothing at all", "BenchmarkAdd-2 100 5x ns/op", "BenchmarkAdd-2 100 5 ns/op 6", ""}
	var rest []string
	got, err := Parse(strings.NewReader(strings.Join(lines, "\n")+"\n"), func(line string) { rest = append(rest, line) })
	if err != nil || len(got.Figures) > 0 || !reflect.DeepEqual(rest, lines) {
		t.Errorf("got %+v, %v, others %q", got, err, rest)
	}
}

func TestPrintReport(t *testing.T) {
	r := Report{
		Machine: []string{"cpu: some processor"},
		Figures: []Figure{
			{"core", "Add", "ns/op", Series{5300, 5200, 5400}},
			{"core", "AddAll", "ns/op", Series{2500000}},
			{"core", "Add", "device-ops/s", Series{190000}},
			{"bench", "Remove", "p50-ms", Series{0.123}},
		},
	}
	want := `cpu: some processor
PACKAGE  BENCHMARK  RUNS  MIN     MEDIAN  MAX     UNIT
core     Add        3     5.20    5.30    5.40    µs/op
core     AddAll     1     2.50    2.50    2.50    ms/op
core     Add        1     190000  190000  190000  device-ops/s
bench    Remove     1     0.12    0.12    0.12    p50-ms
`
	var b strings.Builder
	if err := r.Print(&b); err != nil || b.String() != want {
		t.Errorf("got:\n%s%v\nwant:\n%s", b.String(), err, want)
	}
}
