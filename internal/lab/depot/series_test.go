package depot

import (
	"slices"
	"testing"
)

func TestSeriesHas(t *testing.T) {
	for _, c := range []struct {
		series  Series
		version string
		want    bool
	}{
		{Linux6_1, "6.1.0-50-amd64", true},
		{Linux6_1, "6.1.176-1", true},
		{Linux6_1, "6.12.107-1", false},
		{Linux6_1, "6.1", false},
		{Linux6_12, "6.12.107+deb13-amd64", true},
		{Linux6_12, "6.1.0-50-amd64", false},
		{Linux7, "7.3.4+deb13-amd64", true},
		{Linux7, "7.0-1", true},
		{Linux7, "6.7.1", false},
		{Linux7, "70.1", false},
	} {
		if got := c.series.Has(c.version); got != c.want {
			t.Errorf("%s has %s: %v", c.series, c.version, got)
		}
	}
}

func TestParseSeries(t *testing.T) {
	for _, c := range []struct {
		list string
		want []Series // nil: an error
	}{
		{"", []Series{"6.1", "6.12", "7.x"}},
		{"6.12", []Series{"6.12"}},
		{"7, 6.1", []Series{"7.x", "6.1"}},
		{"7.x", []Series{"7.x"}},
		{"5.10", nil},
		{"6.1,", nil},
	} {
		got, err := ParseSeries(c.list)
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %v, %v", c.list, got, err)
		}
	}
}
