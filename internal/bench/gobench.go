package bench

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Report is what a run of "go test -bench" printed, in the order of its lines.
type Report struct {
	// Machine is what Go says of it: goos, goarch, cpu.
	Machine []string
	// Figures are what was measured.
	Figures []Figure
}

// Figure is one unit of one benchmark, measured as often as -count says.
type Figure struct {
	Package, Benchmark, Unit string
	Values                   Series
}

// ignored are units that say nothing of time or memory in use.
var ignored = map[string]bool{"B/op": true, "allocs/op": true}

// Parse reads the output of "go test -bench". Lines of several runs of one
// benchmark become one Figure for each unit. What is no result is handed to other.
func Parse(r io.Reader, other func(line string)) (Report, error) {
	var report Report
	var pkg string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if path, ok := strings.CutPrefix(line, "pkg: "); ok {
			pkg = path[strings.LastIndexByte(path, '/')+1:]
		} else if isMachine(line) {
			report.addMachine(line)
		} else if !report.addResult(pkg, line) {
			other(line)
		}
	}
	return report, lines.Err()
}

func isMachine(line string) bool {
	key, _, _ := strings.Cut(line, ": ")
	return key == "goos" || key == "goarch" || key == "cpu"
}

// addMachine keeps a line that each package repeats.
func (r *Report) addMachine(line string) {
	for _, known := range r.Machine {
		if known == line {
			return
		}
	}
	r.Machine = append(r.Machine, line)
}

// addResult takes a line such as "BenchmarkAdd/devices=10-2  100  52.3 ns/op", and
// tells whether it was one.
func (r *Report) addResult(pkg, line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return false
	}
	name := strings.TrimPrefix(withoutProcs(fields[0]), "Benchmark")
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return false
		}
		if unit := fields[i+1]; !ignored[unit] {
			r.add(pkg, name, unit, value)
		}
	}
	return true
}

// withoutProcs takes GOMAXPROCS off the end of a benchmark's name.
func withoutProcs(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name
	}
	if _, err := strconv.Atoi(name[i+1:]); err != nil {
		return name
	}
	return name[:i]
}

func (r *Report) add(pkg, name, unit string, value float64) {
	for i := range r.Figures {
		f := &r.Figures[i]
		if f.Package == pkg && f.Benchmark == name && f.Unit == unit {
			f.Values = append(f.Values, value)
			return
		}
	}
	r.Figures = append(r.Figures, Figure{pkg, name, unit, Series{value}})
}

// Print prints a table with a line for each figure.
func (r Report) Print(w io.Writer) error {
	for _, line := range r.Machine {
		fmt.Fprintln(w, line)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PACKAGE\tBENCHMARK\tRUNS\tMIN\tMEDIAN\tMAX\tUNIT")
	for _, f := range r.Figures {
		unit, scale := readable(f)
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", f.Package, f.Benchmark, len(f.Values),
			figures(f.Values.Min()*scale), figures(f.Values.Median()*scale), figures(f.Values.Max()*scale), unit)
	}
	return t.Flush()
}

// readable returns the unit to show, and what values are multiplied by for it.
func readable(f Figure) (unit string, scale float64) {
	if f.Unit != "ns/op" {
		return f.Unit, 1
	}
	switch median := f.Values.Median(); {
	case median >= 1e6:
		return "ms/op", 1e-6
	case median >= 1e3:
		return "µs/op", 1e-3
	}
	return "ns/op", 1
}

// figures returns v with three significant digits or all those before the point.
func figures(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
