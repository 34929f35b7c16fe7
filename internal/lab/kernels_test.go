package lab

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

func TestAtOnce(t *testing.T) {
	for _, tt := range []struct {
		set                    string
		n, processors          int
		guests, processorsEach int
	}{
		{"", 1, 2, 1, 2}, {"", 3, 1, 1, 1}, {"", 3, 2, 1, 2}, {"", 3, 3, 2, 1}, {"", 3, 4, 3, 1}, {"", 3, 6, 3, 2}, {"", 2, 64, 2, 2}, {"1", 3, 64, 1, 2}, {"9", 3, 2, 3, 1},
	} {
		t.Setenv(EnvVMs, tt.set)
		if guests, each := atOnce(tt.n, tt.processors); guests != tt.guests || each != tt.processorsEach {
			t.Errorf("%+v: %d guests of %d processors", tt, guests, each)
		}
	}
}

// Kernels run at the same time, print one after the other, and one that fails is not forgotten.
func TestRunKernels(t *testing.T) {
	series := []depot.Series{"a", "b", "c"}
	for _, failing := range []depot.Series{"", "a", "b", "c"} {
		var together sync.WaitGroup
		together.Add(2)
		var out bytes.Buffer
		outcomes := runKernels(series, 2, &out, func(k depot.Series, w io.Writer) outcome {
			if k != "c" { // a and b wait for each other
				together.Done()
				together.Wait()
			}
			fmt.Fprintln(w, k, 1)
			fmt.Fprintln(w, k, 2)
			return outcome{passed: k != failing}
		})
		if want := "a 1\na 2\nb 1\nb 2\nc 1\nc 2\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
		for i, o := range outcomes {
			if o.passed != (series[i] != failing) {
				t.Errorf("%q failing: %s passed: %v", failing, series[i], o.passed)
			}
		}
	}
}
