// Command lab starts VMs with a real RDMA kernel and soft HCAs, for people and for make.
//
//	lab fetch                 fetch the kernels and the newer rdma(8) into the cache
//	lab shell [flags]         open a shell in a VM, on this terminal
//	lab run [flags] -- CMD…   run a command in a VM; its output and exit status are this command's
//
// Flags of shell and run:
//
//	-kernel SERIES     6.1, 6.12 or 7.x; the first of IBCTL_LAB_KERNEL, or the newest
//	-topology NAME     what to find there: demo or none (shell: demo, run: none)
//	-path DIR          put DIR in front of the guest's PATH
//	-timeout DURATION  stop the VM after that time (run: 10m, shell: 24h)
//	-console FILE      write the kernel's log to FILE
//
// If the lab itself fails, the exit status is 125. Package lab has the environment variables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// statusLabFailed is what env(1), podman-run(1) and their like use when it wasn't the command that failed.
const statusLabFailed = 125

const usage = `usage: lab fetch
       lab shell [-kernel SERIES] [-topology NAME] [-path DIR] [-timeout DURATION] [-console FILE]
       lab run   [-kernel SERIES] [-topology NAME] [-path DIR] [-timeout DURATION] [-console FILE] -- CMD [ARG...]
`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	status, err := dispatch(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

func dispatch(ctx context.Context, args []string) (status int, err error) {
	if len(args) == 0 {
		return statusLabFailed, errors.New(usage)
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "fetch":
		return fetch(ctx, os.Stderr)
	case "shell":
		return shell(ctx, rest)
	case "run":
		return run(ctx, rest)
	case guestVerb:
		return guest(rest)
	default:
		return statusLabFailed, fmt.Errorf("lab: no verb %q\n%s", verb, usage)
	}
}

// fetch fills the cache, so that later runs need no network.
func fetch(ctx context.Context, log io.Writer) (int, error) {
	d, err := depot.Open(log)
	if err != nil {
		return statusLabFailed, err
	}
	for _, s := range depot.AllSeries() {
		k, err := d.Kernel(ctx, s)
		if err != nil {
			return statusLabFailed, err
		}
		fmt.Printf("kernel %-5s %s\n", s, k.Image)
	}
	rdma, err := d.RDMA(ctx)
	if err != nil {
		return statusLabFailed, err
	}
	fmt.Printf("rdma         %s\n", rdma)
	return 0, nil
}
