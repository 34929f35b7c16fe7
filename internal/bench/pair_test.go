package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// counted is a command that adds its name to a file, and prints something.
func counted(name, file string) []string {
	return []string{"sh", "-c", "echo " + name + " >>" + file + "; echo done"}
}

func TestPairRunsInTurn(t *testing.T) {
	tests := []struct {
		runs int
		want string
	}{
		{1, "a b"},
		{3, "a b a b a b a b"}, // the first pair is not counted
	}
	for _, tt := range tests {
		log := filepath.Join(t.TempDir(), "log")
		r, err := Pair{A: counted("a", log), B: counted("b", log), Runs: tt.runs}.Measure()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(log)
		if got := strings.Join(strings.Fields(string(text)), " "); err != nil || got != tt.want {
			t.Errorf("%d runs: %q, %v, want %q", tt.runs, got, err, tt.want)
		}
		if len(r.MsA) != tt.runs || len(r.MsB) != tt.runs || len(r.Ratio) != tt.runs {
			t.Errorf("%d runs: counted %d, %d, %d", tt.runs, len(r.MsA), len(r.MsB), len(r.Ratio))
		}
	}
}

func TestPairScales(t *testing.T) {
	r, err := Pair{A: []string{"echo", "a"}, B: []string{"echo", "b"}, Scale: 1000, Runs: 1}.Measure()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Ratio[0], r.MsA[0]/r.MsB[0]; r.MsB[0] < 100 || got/want < 0.999 || got/want > 1.001 {
		t.Errorf("times %v and %v, ratio %v", r.MsA[0], r.MsB[0], got)
	}
}

func TestPairOfWhatMeasuresNothing(t *testing.T) {
	for _, command := range [][]string{{"sh", "-c", "echo words >&2; exit 3"}, {"true"}, {"/nonexistent"}} {
		_, err := Pair{A: []string{"echo", "a"}, B: command, Runs: 1}.Measure()
		if err == nil || !strings.Contains(err.Error(), command[0]) {
			t.Errorf("%v: error %v", command, err)
		}
	}
}

func TestPrintRatios(t *testing.T) {
	all := []Ratios{
		{Pair: Pair{A: []string{"ibctl", "dev", "list"}, B: []string{"rdma", "dev"}, Runs: 3},
			MsA: Series{30, 10, 20}, MsB: Series{20, 10, 30}, Ratio: Series{1.5, 1, 0.667}},
		{Pair: Pair{A: []string{"ibctl"}, B: []string{"sh", "-c", "..."}, Name: "loop, x4", Runs: 1},
			MsA: Series{1}, MsB: Series{400}, Ratio: Series{0.0025}},
	}
	want := `               A         B  runs   A ms min  median   max   B ms min  median    max   A/B min  median     max
  ibctl dev list  rdma dev     3       10.0    20.0  30.0       10.0    20.0   30.0     0.667       1     1.5
           ibctl  loop, x4     1        1.0     1.0   1.0      400.0   400.0  400.0    0.0025  0.0025  0.0025
`
	var b strings.Builder
	if err := PrintRatios(&b, all); err != nil || b.String() != want {
		t.Errorf("got:\n%s%v\nwant:\n%s", b.String(), err, want)
	}
}
