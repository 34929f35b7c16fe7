package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/internal/api"
)

// serve starts ibctl serve and returns when it answers. The function that it
// returns ends it.
func serve() (stop func() error, err error) {
	cmd := exec.Command("ibctl", "serve")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for !answers() {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("ibctl serve: %w\n%s", err, &said)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if err := <-ended; err != nil {
			return fmt.Errorf("ibctl serve: %w\n%s", err, &said)
		}
		return nil
	}, nil
}

// answers tells whether there is an ibctl serve: a verb that is told where it is
// does not do without.
func answers() bool {
	return exec.Command("ibctl", "--socket", api.Socket, "dev", "list").Run() == nil
}
