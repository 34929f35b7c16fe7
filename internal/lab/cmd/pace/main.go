// Command pace compares ibctl with its peers as whole processes, on the HCAs of
// the machine it runs on, which is a lab VM: make bench runs it there.
//
// The guest emulates its processor, so seconds mean nothing outside of it; what
// counts are the ratios, which are of two programs run one right after the other.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/internal/bench"
)

func main() {
	runs := flag.Int("n", 15, "how often each program is run")
	loop := flag.Bool("loop", true, "also run the shell loop, which takes a minute")
	flag.Parse()
	if err := report(os.Stdout, *runs, *loop); err != nil {
		fmt.Fprintln(os.Stderr, "pace:", err)
		os.Exit(1)
	}
}

var (
	devList = []string{"ibctl", "dev", "list"}
	gidShow = []string{"ibctl", "gid", "show"}
)

// pairs is what is compared. A new comparison is a line here.
func pairs(runs int, tables []table) []bench.Pair {
	return []bench.Pair{
		{A: devList, B: []string{"rdma", "dev"}, Runs: runs},
		{A: devList, B: []string{"ibv_devices"}, Runs: runs},
		{A: gidShow, B: []string{"ibv_devinfo", "-v"}, Runs: runs},
		{
			A: gidShow, B: []string{"sh", "-c", sysfsLoop, "sh", tables[0].port},
			Name: fmt.Sprintf("shell loop over one port, times %d", len(tables)), Scale: len(tables), Runs: 1,
		},
	}
}

// served is what is compared while ibctl serve runs: the verbs ask it then.
func served(runs int) []bench.Pair {
	return []bench.Pair{
		{A: devList, B: []string{"rdma", "dev"}, Runs: runs},
		{A: gidShow, B: []string{"ibv_devinfo", "-v"}, Runs: runs},
	}
}

// sysfsLoop is what show_gids does with the port in $1: for each slot read the GID
// and, if there is one, its type and netdev.
const sysfsLoop = `for gid in $1/gids/*; do
	value=$(cat $gid)
	[ "$value" = 0000:0000:0000:0000:0000:0000:0000:0000 ] && continue
	slot=$(basename $gid)
	echo $slot $value $(cat $1/gid_attrs/types/$slot) $(cat $1/gid_attrs/ndevs/$slot)
done`

func report(w io.Writer, runs int, loop bool) error {
	tables, err := tables("/sys/class/infiniband")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "GID slots by port: %s\n", join(tables))
	list := pairs(runs, tables)
	if !loop {
		list = slices.DeleteFunc(list, func(p bench.Pair) bool { return p.Scale > 0 })
	}
	if err := measure(w, list); err != nil {
		return err
	}
	stop, err := serve()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "With ibctl serve:")
	return errors.Join(measure(w, served(runs)), stop())
}

func measure(w io.Writer, list []bench.Pair) error {
	var all []bench.Ratios
	for _, p := range list {
		r, err := p.Measure()
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	return bench.PrintRatios(w, all)
}

// table is a port, and how large its GID table is.
type table struct {
	port  string // its directory
	slots int
}

func tables(class string) ([]table, error) {
	ports, err := filepath.Glob(class + "/*/ports/*")
	if err != nil || len(ports) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s: no ports: this is to be run in a lab VM with HCAs", class))
	}
	var all []table
	for _, port := range ports {
		slots, err := os.ReadDir(port + "/gids")
		if err != nil {
			return nil, err
		}
		all = append(all, table{port, len(slots)})
	}
	return all, nil
}

func join(tables []table) string {
	var sizes []string
	for _, t := range tables {
		sizes = append(sizes, fmt.Sprint(t.slots))
	}
	return strings.Join(sizes, ", ")
}
