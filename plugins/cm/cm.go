// Package cm is the client of the RDMA connection manager: it lists CM ids and
// counts CM messages, sets a port's defaults and puts them back, tells where a
// connection would go, asks remote connection managers whether they are alive,
// and answers others who ask.
//
// What it holds of a device between Add and Remove is the device's directory in
// sysfs and, while somebody resolves, pings or listens, CM ids. Remove lets go
// of all of them before it returns; [fleet] is how.
//
// # Process ids
//
// The kernel names the owner of a CM id, which is the thread that made it, by the
// number that the *asking* process sees, so this client is to run in ibctl's own PID namespace
// (supervisor.Spec.HostPIDs). What a PID namespace of its own would give, the
// proof that nothing outlives a dead plugin, comes from seccomp instead: the
// process has given up starting others.
package cm

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/configfs"
	"github.com/ibctl/ibctl/internal/devdir"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// Name is the client's name.
const Name = "cm"

// Client is the cm client. It is made for one process, and its methods are
// called by [plugin.Serve].
type Client struct {
	sysfs    *sysfs.FS
	configfs configfs.Tree
	config   Config
	fleet    *fleet
}

// New returns a client of this host's devices.
func New() *Client {
	return &Client{sysfs: sysfs.Live(), configfs: configfs.Live(), fleet: newFleet()}
}

// Name implements [plugin.Client].
func (c *Client) Name() string { return Name }

// Configure implements [plugin.Configurer].
func (c *Client) Configure(_ context.Context, _ *plugin.Host, config []byte) (err error) {
	if c.config, err = parseConfig(config); err != nil {
		return err
	}
	if c.config.Root == "" {
		if err := c.configfs.Sweep(); err != nil && os.Geteuid() == 0 {
			slog.Warn("clean up after others", "error", err)
		}
		return nil
	}
	if c.sysfs, err = sysfs.Open(c.config.Root); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return nil
}

// Add implements [plugin.Client].
func (c *Client) Add(ctx context.Context, dev *plugin.Device) (any, error) {
	dir, err := devdir.Open(ctx, c.sysfs, dev.ID().Index, dev.Info().Name)
	if err != nil {
		return nil, err
	}
	ours := &device{Device: dev, index: dev.ID().Index, dir: dir}
	c.putBack(ctx, ours)
	c.fleet.add(ours)
	for _, l := range c.fleet.current() {
		l.join(ctx, ours)
	}
	return ours, nil
}

// Changed implements [plugin.ChangeHandler].
func (c *Client) Changed(ctx context.Context, dev *plugin.Device, what core.Change) error {
	if what&core.ChangeName != 0 {
		c.putBack(ctx, dev.Data().(*device))
	}
	return nil
}

// Remove implements [plugin.Client]. No question that named the device runs any
// more; those that the kernel led onto it are ended here.
func (c *Client) Remove(_ context.Context, dev *plugin.Device) error {
	ours := dev.Data().(*device)
	c.fleet.remove(ours)
	return ours.dir.Close()
}

// RegisterServices implements [plugin.ServiceProvider].
func (c *Client) RegisterServices(r grpc.ServiceRegistrar, devices *plugin.Devices) {
	cmv1.RegisterCMServer(r, &service{client: c, devices: devices})
}

// service answers questions.
type service struct {
	cmv1.UnimplementedCMServer
	client  *Client
	devices *plugin.Devices
}

type deviceID = pluginv1.DeviceID

// portNumbers returns the numbers of the ports asked for, ascending.
func portNumbers(info rdma.Device, port *uint32) ([]uint32, error) {
	var numbers []uint32
	for _, p := range info.Ports {
		if port == nil || p.Number == *port {
			numbers = append(numbers, p.Number)
		}
	}
	if port != nil && len(numbers) == 0 {
		return nil, status.Errorf(codes.NotFound, "%s/%d: %v", info.Name, *port, sysfs.ErrNoPort)
	}
	slices.Sort(numbers)
	return numbers, nil
}
