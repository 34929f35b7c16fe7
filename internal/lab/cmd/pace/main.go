// Command pace compares ibctl with its peers as whole processes, on the HCAs of
// the machine it runs on, which is a lab VM: make bench runs it there.
//
// The guest emulates its processor, so seconds mean nothing outside of it.
// Commands are therefore run in turn, A B A B, and what counts is the ratio of
// each pair.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// comparison is one line of the result.
type comparison struct {
	ours, peer []string
	// runs is how many pairs are counted, after one that is not. With one run
	// there is none before it either: the shell loop takes minutes.
	runs int
}

func comparisons(runs int) []comparison {
	devList := []string{"ibctl", "dev", "list"}
	gidShow := []string{"ibctl", "gid", "show"}
	return []comparison{
		{devList, []string{"rdma", "dev"}, runs},
		{devList, []string{"ibv_devices"}, runs},
		{gidShow, []string{"ibv_devinfo", "-v"}, runs},
		{gidShow, []string{"sh", "-c", sysfsLoop}, 1},
	}
}

// sysfsLoop is what show_gids does: for each slot of each port, read the GID and,
// if there is one, its type and netdev.
const sysfsLoop = `for port in /sys/class/infiniband/*/ports/*; do
	for gid in $port/gids/*; do
		value=$(cat $gid)
		[ "$value" = 0000:0000:0000:0000:0000:0000:0000:0000 ] && continue
		slot=$(basename $gid)
		echo $port $slot $value $(cat $port/gid_attrs/types/$slot) $(cat $port/gid_attrs/ndevs/$slot)
	done
done`

func main() {
	runs := flag.Int("n", 15, "pairs of runs")
	flag.Parse()
	if err := report(os.Stdout, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "pace:", err)
		os.Exit(1)
	}
}

func report(w io.Writer, runs int) error {
	slots, err := slots()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "GID slots by port: %s\n", strings.Join(slots, ", "))
	fmt.Fprintf(w, "%-16s %-18s %5s %10s %10s   %s\n", "A", "B", "pairs", "A median", "B median", "A/B median (min to max)")
	for _, c := range comparisons(runs) {
		line, err := c.measure()
		if err != nil {
			return err
		}
		fmt.Fprintln(w, line)
	}
	return nil
}

// slots tells how large the tables are that gid show reads.
func slots() ([]string, error) {
	out, err := exec.Command("sh", "-c", `for p in /sys/class/infiniband/*/ports/*; do ls $p/gids | wc -l; done`).Output()
	return strings.Fields(string(out)), err
}

// measure runs the pairs.
func (c comparison) measure() (string, error) {
	var ours, peers []time.Duration
	var ratios []float64
	for i := range c.runs + 1 {
		a, err := timed(c.ours)
		if err != nil {
			return "", err
		}
		b, err := timed(c.peer)
		if err != nil {
			return "", err
		}
		if i == 0 && c.runs > 1 {
			continue // pages and dentries come into the cache
		}
		ours, peers, ratios = append(ours, a), append(peers, b), append(ratios, a.Seconds()/b.Seconds())
		if len(ratios) == c.runs {
			break
		}
	}
	return fmt.Sprintf("%-16s %-18s %5d %10s %10s   %.4g (%.4g to %.4g)", strings.Join(c.ours, " "), name(c.peer), c.runs,
		median(ours).Round(time.Millisecond), median(peers).Round(time.Millisecond),
		median(ratios), slices.Min(ratios), slices.Max(ratios)), nil
}

func name(command []string) string {
	if command[0] == "sh" {
		return "shell loop, sysfs"
	}
	return strings.Join(command, " ")
}

// timed runs a command to its end. One that fails or prints nothing measures
// nothing.
func timed(command []string) (time.Duration, error) {
	cmd := exec.Command(command[0], command[1:]...)
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	if len(out) == 0 {
		return 0, fmt.Errorf("%s: printed nothing", strings.Join(command, " "))
	}
	return took, nil
}

func median[T time.Duration | float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
