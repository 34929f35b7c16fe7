// Command stubborn is an ibctl plugin for tests: its Remove does what its
// configuration says. Its argument is its name.
//
//	{"remove": "sleep"}     takes three seconds
//	{"remove": "deadlock"}  never returns
//	{"remove": "crash"}     ends the process
//	{"remove": "flush"}     waits for a worker that asks ibctl for RoCE ports
//	{"remove": "/a/file"}   waits until there is no such file
//
// With "child", a process that outlives its parent holds on until it is killed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
)

func main() { plugin.Serve(&client{name: os.Args[1], flushes: make(chan flush)}) }

type client struct {
	name    string
	remove  string
	host    *plugin.Host
	flushes chan flush
}

// flush is a piece of work whose end somebody waits for.
type flush struct{ done chan error }

func (c *client) Name() string { return c.name }

func (c *client) Configure(_ context.Context, host *plugin.Host, config []byte) error {
	var settings struct {
		Remove string
		Child  bool
	}
	if err := json.Unmarshal(config, &settings); err != nil {
		return err
	}
	c.host, c.remove = host, settings.Remove
	go c.work()
	if !settings.Child {
		return nil
	}
	child := exec.Command("sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return child.Start()
}

// work is the one worker for all devices, as the kernel's RoCE GID client has it.
func (c *client) work() {
	for f := range c.flushes {
		ports, err := c.host.RoCEPorts(context.Background(), rdma.Opt[uint32]{})
		if err == nil {
			_, err = fmt.Fprintln(os.Stderr, "RoCE ports during Remove:", len(ports))
		}
		f.done <- err
	}
}

func (c *client) Add(context.Context, *plugin.Device) (any, error) { return nil, nil }

func (c *client) Remove(context.Context, *plugin.Device) error {
	switch c.remove {
	case "sleep":
		time.Sleep(3 * time.Second)
	case "deadlock":
		select {}
	case "crash":
		os.Exit(3)
	case "flush":
		f := flush{make(chan error)}
		c.flushes <- f
		return <-f.done
	default:
		for isThere(c.remove) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return path != "" && err == nil
}
