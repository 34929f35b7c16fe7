// Command gobench makes one table of what "go test -bench" prints: the least, the
// median and the greatest value of each figure over all its runs (-count). All
// other lines, failures among them, go to standard error as they come.
package main

import (
	"fmt"
	"os"

	"github.com/ibctl/ibctl/internal/bench"
)

func main() {
	report, err := bench.Parse(os.Stdin, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err == nil {
		err = report.Print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gobench:", err)
		os.Exit(1)
	}
}
