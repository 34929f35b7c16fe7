package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/lab/depot"
)

func main() {
	s, err := depot.ParseSeries(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, k := range s {
		r, err := lab.Run(context.Background(), lab.Config{Kernel: k, Command: os.Args[2:], Stdout: os.Stdout, Stderr: os.Stderr, Log: os.Stderr})
		fmt.Println(r.Status, r.Signal, r.Release, r.Booted, r.Total, err)
		os.WriteFile("/tmp/console-"+string(k), r.Console, 0o644)
	}
}
