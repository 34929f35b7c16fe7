// Command example is an ibctl plugin in full: it watches the ports of every
// device and reports when the state of one changes.
//
// Build it, give it to root, and name it in ibctl's configuration:
//
//	go build -o /usr/libexec/ibctl/plugins/ibctl-plugin-example ./plugins/example
//
// Its configuration is {"interval": "1s"}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
)

func main() { plugin.Serve(&client{interval: time.Second, sysfs: "/sys/class/infiniband"}) }

// client is the IB client that this plugin serves.
type client struct {
	interval time.Duration
	sysfs    string
}

// Name is the name under which the configuration knows the plugin.
func (c *client) Name() string { return "example" }

// Version is shown by ibctl client list.
func (c *client) Version() string { return "1.0" }

// Configure is called once, before anything else.
func (c *client) Configure(_ context.Context, _ *plugin.Host, config []byte) error {
	if len(config) == 0 {
		return nil
	}
	var settings struct {
		Interval string `json:"interval"`
		Sysfs    string `json:"sysfs"`
	}
	if err := json.Unmarshal(config, &settings); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if settings.Sysfs != "" {
		c.sysfs = settings.Sysfs
	}
	if settings.Interval == "" {
		return nil
	}
	interval, err := time.ParseDuration(settings.Interval)
	if err != nil || interval <= 0 {
		return fmt.Errorf("configuration: interval %q is not a duration", settings.Interval)
	}
	c.interval = interval
	return nil
}

// Add starts the watch. It is started with dev.Go, so that nobody has to stop
// it: when the device leaves, its context ends, and ibctl hears that Remove is
// done only after watch has returned.
func (c *client) Add(_ context.Context, dev *plugin.Device) (any, error) {
	return nil, dev.Go(func(ctx context.Context) { c.watch(ctx, dev) })
}

// Remove has nothing left to do.
func (c *client) Remove(context.Context, *plugin.Device) error { return nil }

func (c *client) watch(ctx context.Context, dev *plugin.Device) {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	known := c.states(dev)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := c.states(dev)
		c.report(ctx, dev, known, now)
		maps.Copy(known, now)
	}
}

// report sends an event for each port whose state is not what it was. A port
// that could not be read has none, and is no change.
func (c *client) report(ctx context.Context, dev *plugin.Device, before, now map[uint32]string) {
	for port, state := range now {
		if before[port] == state {
			continue
		}
		err := dev.Emit(ctx, plugin.Event{
			Kind:       "port-state",
			Text:       fmt.Sprintf("port %d: %s, was %s", port, state, before[port]),
			Attributes: map[string]string{"port": fmt.Sprint(port), "state": state},
		})
		if err != nil {
			slog.Warn("event lost", "device", dev.Info().Name, "port", port, "error", err)
		}
	}
}

// states reads the state of every port. The name is asked for anew each time: a
// device can be renamed while it is attached.
func (c *client) states(dev *plugin.Device) map[uint32]string {
	info := dev.Info()
	states := make(map[uint32]string)
	for _, port := range info.Ports {
		text, err := os.ReadFile(filepath.Join(c.sysfs, info.Name, "ports", fmt.Sprint(port.Number), "state"))
		if err != nil {
			slog.Debug("state unknown", "device", info.Name, "port", port.Number, "error", err)
			continue
		}
		states[port.Number] = strings.TrimSpace(string(text))
	}
	return states
}
