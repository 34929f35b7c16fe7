// Package roce is the GID client: it reads the GID tables of the devices that it
// drives and answers for them. Its name is that of the tables that matter most;
// it reads those of InfiniBand and iWARP ports as well.
//
// On Add it opens the device's directory in sysfs and keeps it open until
// Remove. Whoever asks is answered from that directory, not from whatever has
// the device's name by then: the kernel reuses names, and a directory that was
// removed stays empty for good.
package roce

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/devdir"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// Name is the client's name.
const Name = "roce"

// Config is the client's part of ibctl's configuration, as JSON.
type Config struct {
	// Root is a sysfs tree to read instead of this host's /sys.
	Root string `json:"root,omitempty"`
}

// Client is the roce client. It is made for one process, and its methods are
// called by [plugin.Serve].
type Client struct {
	sysfs    *sysfs.FS
	configfs configfs.Tree
	live     bool // sysfs is this host's
	hub      *hub
}

// New returns a client of this host's devices.
func New() *Client {
	return &Client{sysfs: sysfs.Live(), configfs: configfs.Live(), live: true, hub: newHub()}
}

// Name implements [plugin.Client].
func (c *Client) Name() string { return Name }

// Configure implements [plugin.Configurer].
func (c *Client) Configure(_ context.Context, _ *plugin.Host, config []byte) error {
	if len(config) == 0 {
		return nil
	}
	var conf Config
	if err := json.Unmarshal(config, &conf); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if conf.Root == "" {
		return nil
	}
	tree, err := sysfs.Open(conf.Root)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	c.sysfs, c.live = tree, false
	return nil
}

// Add implements [plugin.Client].
func (c *Client) Add(ctx context.Context, dev *plugin.Device) (any, error) {
	dir, err := devdir.Open(ctx, c.sysfs, dev.ID().Index, dev.Info().Name)
	if err != nil {
		return nil, notFound(err)
	}
	ours := &device{dir: dir, info: dev.Info, reader: sysfsReader{dev, dir}, run: dev.Go}
	c.hub.add(ours)
	return ours, nil
}

// device is what the client keeps of a device that it is attached to. It is the
// [plugin.Device.Data] of it.
type device struct {
	dir    *sysfs.Device
	info   func() rdma.Device
	reader reader
	// run starts what Remove waits for: [plugin.Device.Go].
	run     func(func(context.Context)) error
	keepers sync.WaitGroup // who read beside questions
}

// dataOf returns what Add kept of a device.
func dataOf(dev *plugin.Device) *device { return dev.Data().(*device) }

// Remove implements [plugin.Client]. No question about the device runs any more;
// work that nobody asked for by this device's id is ended here.
func (c *Client) Remove(_ context.Context, dev *plugin.Device) error {
	c.hub.remove(dataOf(dev))
	return dataOf(dev).dir.Close()
}

// RegisterServices implements [plugin.ServiceProvider].
func (c *Client) RegisterServices(r grpc.ServiceRegistrar, devices *plugin.Devices) {
	rocev1.RegisterRoCEServer(r, &service{client: c, devices: devices})
	rocev1.RegisterAuditServer(r, &auditor{devices: devices, sources: c.sources})
}

// sources are those of a survey: the kernel, or a copied tree.
func (c *Client) sources(tables survey.Tables) survey.Sources {
	if !c.live {
		return recorded(c.sysfs, tables)
	}
	return survey.Live(tables)
}
