package bench

import "testing"

func TestSeries(t *testing.T) {
	hundred := Series{}
	for i := 100; i > 0; i-- {
		hundred = append(hundred, float64(i))
	}
	tests := []struct {
		values                Series
		min, median, p99, max float64
	}{
		{Series{7}, 7, 7, 7, 7},
		{Series{3, 1, 2}, 1, 2, 3, 3},
		{Series{4, 1, 3, 2}, 1, 2.5, 4, 4},
		{hundred, 1, 50.5, 99, 100},
	}
	for _, tt := range tests {
		got := []float64{tt.values.Min(), tt.values.Median(), tt.values.Quantile(0.99), tt.values.Max()}
		want := []float64{tt.min, tt.median, tt.p99, tt.max}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%v: least, median, p99, greatest: %v, want %v", tt.values, got, want)
				break
			}
		}
	}
}

func TestSeriesStaysInOrder(t *testing.T) {
	s := Series{3, 1, 2}
	s.Median()
	s.Quantile(0.5)
	if s[0] != 3 || s[1] != 1 || s[2] != 2 {
		t.Errorf("order changed: %v", s)
	}
}
