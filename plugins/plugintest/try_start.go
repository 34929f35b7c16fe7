package plugintest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// The rules for a process that nobody has connected to yet, and for its
// introduction.

// offered is what a plugin's handshake line says.
type offered struct{ core, version, network, socket, protocol string }

func (r *rawProcess) handshake() offered {
	line := r.line()
	f := strings.Split(strings.TrimSpace(line), "|")
	if len(f) < 5 {
		r.c.fatalf("the first line on standard output is no handshake: %q", line)
	}
	return offered{f[0], f[1], f[2], f[3], f[4]}
}

func tryHandshake(c *trial) {
	r := c.raw(fmt.Sprint(plugin.ProtocolVersion))
	got := r.handshake()
	want := offered{"1", fmt.Sprint(plugin.ProtocolVersion), "unix", got.socket, "grpc"}
	if got != want {
		c.errorf("the handshake offers %v, want %v", got, want)
	}
	if filepath.Dir(filepath.Clean(got.socket)) != r.dir {
		c.errorf("the socket %q is not in PLUGIN_UNIX_SOCKET_DIR, which is %s", got.socket, r.dir)
	}
}

func tryStart(c *trial) {
	r := c.host(supervisor.Limits{}).start()
	c.t.Logf("the kit's guarantee here is %v", r.Guarantee())
}

func tryDevices(c *trial) {
	r := c.host(supervisor.Limits{}).start()
	for i := range c.plugin.Devices {
		dev := r.next(i)
		inTime := c.within(func() {
			if _, err := r.Add(context.Background(), dev); err != nil {
				c.errorf("%v", err)
				return
			}
			if err := r.Remove(context.Background(), dev, nil); err != nil {
				c.errorf("%v", err)
			}
		}, r.late)
		if !inTime {
			c.fatalf("%s: Add and Remove took more than %v", dev.Info.Name, c.plugin.patience)
		}
	}
}

// trySilence lets the process come to its end, for there may be last words.
func trySilence(c *trial) {
	r := c.raw(fmt.Sprint(plugin.ProtocolVersion))
	line := r.line()
	_ = r.stdin.Close()
	r.exits()
	if output := r.output(); output != line {
		c.errorf("standard output is %q", output)
	}
}

func tryPerson(c *trial) {
	r := c.raw("")
	_ = r.stdin.Close()
	if !r.exits() {
		c.fatalf("it goes on for %v without having been given %s", c.plugin.patience, plugin.EnvCookie)
	}
	if r.cmd.ProcessState.Success() {
		c.errorf("it exits with status 0")
	}
	if strings.Contains(r.output(), "|grpc") {
		c.errorf("it offers a connection: %q", r.output())
	}
	if r.output()+r.words() == "" {
		c.errorf("it does not say what is wrong")
	}
}

func tryLifeline(c *trial) {
	r := c.raw(fmt.Sprint(plugin.ProtocolVersion))
	r.line()
	_ = r.stdin.Close()
	if !r.exits() {
		c.errorf("it still runs %v after the end of its standard input", c.plugin.patience)
	}
}

// foreignVersion is one that nobody speaks.
const foreignVersion = "4711"

// tryVersion asks for a version that there is not. Whether the plugin then offers
// what it has or gives up is its own choice.
func tryVersion(c *trial) {
	r := c.raw(foreignVersion)
	select {
	case <-r.exited:
	case <-time.After(c.plugin.patience):
		c.errorf("it neither offers a version nor gives up within %v", c.plugin.patience)
	case line, ok := <-r.first:
		if f := strings.Split(line, "|"); ok && len(f) > 1 && f[1] == foreignVersion {
			c.errorf("it claims to speak version %s", foreignVersion)
		}
	}
}

// tryExit stops the plugin in order, with devices attached.
func tryExit(c *trial) {
	r := c.host(supervisor.Limits{}).start()
	r.add(r.next(0))
	r.add(r.next(1))
	if err := r.stop(); err != nil {
		if dead, ok := errors.AsType[*supervisor.DeadError](err); ok {
			err = dead.Reason
		}
		c.errorf("%v", err)
	}
}
