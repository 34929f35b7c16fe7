package bench

import (
	"math"
	"slices"
)

// Series holds the values of one figure, in the order in which they were measured.
type Series []float64

// Min returns the least value.
func (s Series) Min() float64 { return slices.Min(s) }

// Max returns the greatest value.
func (s Series) Max() float64 { return slices.Max(s) }

// Median returns the middle value, or the mean of the two in the middle.
func (s Series) Median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Quantile returns the least value that is not exceeded by the share q of all
// values, 0 < q <= 1.
func (s Series) Quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
