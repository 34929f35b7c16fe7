package cm

import (
	"context"
	"errors"
	"log/slog"
	"maps"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/internal/configfs"
)

// putBack sets the defaults that the configuration has for the device, unless they
// were set: it is called again when the device has another name, which may be the
// one that the configuration means. udev renames devices as soon as they come.
// What can't be set is no reason to leave the device alone.
func (c *Client) putBack(ctx context.Context, dev *device) {
	wanted := c.config.wanted(dev.Info())
	if maps.Equal(wanted, dev.defaults) {
		return
	}
	err := c.applyByName(ctx, dev.Device, wanted)
	if err == nil {
		dev.defaults = wanted
		return
	}
	slog.Error("set defaults", "device", dev.name(), "error", err)
	event := plugin.Event{Kind: "cm-defaults-failed", Text: err.Error()}
	if err := dev.Emit(ctx, event); err != nil {
		slog.Error("report an event", "device", dev.name(), "error", err)
	}
}

// tries is how often a device may get another name while its defaults are set, or
// somebody else take away the directory that they are set in.
const tries = 8

// applyByName sets defaults under the name that the device has before and after.
func (c *Client) applyByName(ctx context.Context, dev *plugin.Device, wanted map[uint32]Defaults) (err error) {
	if len(wanted) == 0 {
		return nil
	}
	for range tries {
		name := currentName(ctx, dev)
		err = apply(c.configfs, name, wanted)
		if currentName(ctx, dev) == name && !errors.Is(err, configfs.ErrNoDevice) {
			return err
		}
	}
	return err
}
