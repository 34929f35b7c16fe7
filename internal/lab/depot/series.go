package depot

import (
	"fmt"
	"slices"
	"strings"
)

// Series is a kernel series that the lab runs: the first numbers of its releases, where "x" stands for any.
type Series string

// The series of the lab, oldest first.
const (
	Linux6_1  Series = "6.1"  // Debian 12's
	Linux6_12 Series = "6.12" // Debian 13's
	Linux7    Series = "7.x"  // what is new
)

// AllSeries returns every series of the lab, oldest first.
func AllSeries() []Series {
	return []Series{Linux6_1, Linux6_12, Linux7}
}

// suites returns the suites of Debian that have or had a kernel of the series, the best first.
func (s Series) suites() []string {
	switch s {
	case Linux6_1:
		return []string{"bookworm"}
	case Linux6_12:
		return []string{"trixie", "bookworm-backports"}
	case Linux7:
		return []string{"trixie-backports", "forky"}
	}
	return nil
}

// Has tells whether a kernel release ("6.12.107+deb13-amd64") or a package version ("6.12.107-1") belongs to the series.
func (s Series) Has(version string) bool {
	prefix := strings.TrimSuffix(string(s), "x")
	if !strings.HasSuffix(prefix, ".") {
		prefix += "."
	}
	return strings.HasPrefix(version, prefix)
}

// ParseSeries reads a comma-separated list of series, as IBCTL_LAB_KERNEL has it. The empty list means all.
func ParseSeries(list string) ([]Series, error) {
	if list == "" {
		return AllSeries(), nil
	}
	var out []Series
	for name := range strings.SplitSeq(list, ",") {
		s := Series(strings.TrimSpace(name))
		if s == "7" {
			s = Linux7
		}
		if !slices.Contains(AllSeries(), s) {
			return nil, fmt.Errorf("lab: no kernel series %q; there are %v", name, AllSeries())
		}
		out = append(out, s)
	}
	return out, nil
}
