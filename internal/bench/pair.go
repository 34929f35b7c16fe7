package bench

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"
)

// Pair is a program and a peer that does the same, or the like.
type Pair struct {
	// A and B are command lines.
	A, B []string
	// Name stands for B in the table where its command line is long.
	Name string
	// Scale is how many times as much A has to do; 0 stands for 1. B's times are
	// multiplied by it, and Name has to say so.
	Scale int
	// Runs is how many times each is run. With one run nothing is run beforehand
	// either: B takes long.
	Runs int
}

// Ratios is what came of a pair.
type Ratios struct {
	Pair
	// Milliseconds from start to end of the process, and A's over B's in each pair
	// of runs.
	MsA, MsB, Ratio Series
}

// Measure runs A and B in turn, A B A B, so that whatever else the machine does
// meets both. The first run of each is not counted: it brings pages and dentries
// into the caches.
func (p Pair) Measure() (Ratios, error) {
	r := Ratios{Pair: p}
	warmUp := p.Runs > 1
	for i := range p.Runs + 1 {
		if i == 0 && !warmUp {
			continue
		}
		a, err := timed(p.A)
		if err != nil {
			return r, err
		}
		b, err := timed(p.B)
		if err != nil {
			return r, err
		}
		if i > 0 {
			r.add(a, b)
		}
	}
	return r, nil
}

func (r *Ratios) add(a, b time.Duration) {
	b *= time.Duration(max(1, r.Scale))
	r.MsA = append(r.MsA, milliseconds(a))
	r.MsB = append(r.MsB, milliseconds(b))
	r.Ratio = append(r.Ratio, a.Seconds()/b.Seconds())
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timed runs a command to its end. One that fails or prints nothing measures
// nothing.
func timed(command []string) (time.Duration, error) {
	cmd := exec.Command(command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	if len(out) == 0 {
		return 0, fmt.Errorf("%s: printed nothing", strings.Join(command, " "))
	}
	return took, nil
}

// PrintRatios prints a table with a line for each pair.
func PrintRatios(w io.Writer, all []Ratios) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "A\tB\truns\t A ms min\tmedian\tmax\t B ms min\tmedian\tmax\t A/B min\tmedian\tmax\t")
	for _, r := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t", strings.Join(r.A, " "), r.peer(), r.Runs)
		for _, ms := range []Series{r.MsA, r.MsB} {
			fmt.Fprintf(t, "%.1f\t%.1f\t%.1f\t", ms.Min(), ms.Median(), ms.Max())
		}
		fmt.Fprintf(t, "%.3g\t%.3g\t%.3g\t\n", r.Ratio.Min(), r.Ratio.Median(), r.Ratio.Max())
	}
	return t.Flush()
}

func (p Pair) peer() string {
	if p.Name != "" {
		return p.Name
	}
	return strings.Join(p.B, " ")
}
