package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
)

// testMains are the mains of plugins: one that is good, one that is good and made
// without package plugin, and for each rule one that breaks it.
var testMains = map[string]func(){
	"good": func() { plugin.Serve(&testClient{name: "good"}) },
	"raw":  func() { serveRaw("raw") },

	"handshake": func() {
		fmt.Println("Welcome to my plugin!")
		plugin.Serve(&testClient{name: "handshake"})
	},
	"starts": func() { plugin.Serve(&testClient{name: "something-else"}) },
	"takes-devices": func() {
		plugin.Serve(&testClient{name: "takes-devices", add: func(dev *plugin.Device) error {
			return fmt.Errorf("%s: %w", dev.Info().Name, syscall.ENODEV)
		}})
	},
	"silent-stdout": func() {
		stdout := os.NewFile(1, "stdout")
		atEndOfStdin(func() { fmt.Fprintln(stdout, "bye"); os.Exit(0) })
		plugin.Serve(&testClient{name: "silent-stdout"})
	},
	"not-for-people": func() {
		if os.Getenv(plugin.EnvCookie) == "" {
			fmt.Println("usage: I do not know")
			os.Exit(0)
		}
		plugin.Serve(&testClient{name: "not-for-people"})
	},
	"lifeline": func() {
		atEndOfStdin(func() {})
		plugin.Serve(&testClient{name: "lifeline"})
	},

	"version":             func() { serveRaw("version") },
	"repeated-add":        func() { serveRaw("repeated-add") },
	"repeated-remove":     func() { serveRaw("repeated-remove") },
	"unknown-remove":      func() { serveRaw("unknown-remove") },
	"back-in-service":     func() { serveRaw("back-in-service") },
	"stale-generation":    func() { serveRaw("stale-generation") },
	"other-epoch":         func() { serveRaw("other-epoch") },
	"overtaking-remove":   func() { serveRaw("overtaking-remove") },
	"change":              func() { serveRaw("change") },
	"independent-devices": func() { serveRaw("independent-devices") },
	"last-call":           func() { serveRaw("last-call") },
	"last-event":          func() { serveRaw("last-event") },

	"failing-host": func() {
		plugin.Serve(&testClient{name: "failing-host", remove: func(dev *plugin.Device) error {
			_, err := dev.Host().Devices(context.Background())
			if errors.Is(err, syscall.EIO) {
				return err
			}
			return nil
		}})
	},
	"slow-host": func() {
		plugin.Serve(&testClient{name: "slow-host", remove: func(dev *plugin.Device) error {
			for {
				if _, err := dev.Host().Devices(context.Background()); err == nil || errors.Is(err, syscall.EIO) {
					return nil
				}
			}
		}})
	},

	"descriptors": func() {
		var open []*os.File
		plugin.Serve(&testClient{name: "descriptors", add: func(*plugin.Device) error {
			f, err := os.Open("/dev/null")
			open = append(open, f)
			return err
		}})
	},
	"goroutines": func() {
		plugin.Serve(&testClient{name: "goroutines", add: func(*plugin.Device) error {
			go func() { time.Sleep(time.Hour) }()
			return nil
		}})
	},
	"memory": func() {
		var kept [][]byte
		plugin.Serve(&testClient{name: "memory", add: func(*plugin.Device) error {
			page := make([]byte, 1<<20)
			for i := range page {
				page[i] = 1
			}
			kept = append(kept, page)
			return nil
		}})
	},

	"exit": func() {
		plugin.Serve(&testClient{name: "exit"})
		os.Exit(3)
	},
	"nothing-left": func() {
		plugin.Serve(&testClient{name: "nothing-left"})
		if _, err := startWatchdog(afterStop); err != nil {
			panic(err)
		}
	},
	"killed":      func() { serveWatched(afterKill) },
	"stopped":     func() { serveWatched(afterHang) },
	"host-killed": func() { serveWatched(afterHost) },
	"fresh-start": func() {
		lock := filepath.Join(os.TempDir(), "plugintest-"+os.Getenv(envMark))
		plugin.Serve(&testClient{
			name: "fresh-start",
			add: func(dev *plugin.Device) error {
				f, err := os.OpenFile(lock+dev.Info().Name, os.O_CREATE|os.O_EXCL, 0o600)
				if err == nil {
					_ = f.Close()
				}
				return err
			},
			remove: func(dev *plugin.Device) error { return os.Remove(lock + dev.Info().Name) },
		})
	},
}

// testClient is a client put together from functions; nil ones do nothing.
type testClient struct {
	name      string
	configure func() error
	add       func(*plugin.Device) error
	remove    func(*plugin.Device) error
}

func (c *testClient) Name() string { return c.name }

func (c *testClient) Configure(context.Context, *plugin.Host, []byte) error {
	if c.configure == nil {
		return nil
	}
	return c.configure()
}

func (c *testClient) Add(_ context.Context, dev *plugin.Device) (any, error) {
	if c.add == nil {
		return nil, nil
	}
	return nil, c.add(dev)
}

func (c *testClient) Remove(_ context.Context, dev *plugin.Device) error {
	if c.remove == nil {
		return nil
	}
	return c.remove(dev)
}

// otherEnd is that of a pipe that is not to end.
var otherEnd *os.File

// atEndOfStdin keeps standard input from package plugin, unless there is no ibctl
// at its other end.
func atEndOfStdin(f func()) {
	if os.Getenv(plugin.EnvCookie) == "" {
		return
	}
	stdin := os.Stdin
	quiet, end, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	os.Stdin, otherEnd = quiet, end
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		f()
	}()
}

// serveWatched is a plugin whose child outlives it in one case.
func serveWatched(mode string) {
	var dog watchdog
	plugin.Serve(&testClient{name: mode, configure: func() (err error) {
		dog, err = startWatchdog(mode)
		return err
	}})
	dog.end()
}
