package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/supervisor"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/roce"
)

// roomful makes a tree with that many RoCE devices, and one more beside it.
func roomful(b *testing.B, n int) (root, spare string) {
	b.Helper()
	roce := sysfstest.Join(
		sysfstest.Tree{"node_type": "1: CA\n", "node_guid": "0001:0000:0000:0001\n", "sys_image_guid": "0001:0000:0000:0001\n", "fw_ver": "1\n"},
		port("Ethernet", sysfstest.Tree{"gids/0": "fe80::1\n", "gid_attrs/types/0": "RoCE v2\n", "gid_attrs/ndevs/0": "eth0\n"}).Under("ports/1"),
	)
	tree := sysfstest.Tree{}
	for i := range n {
		tree = sysfstest.Join(tree, class(fmt.Sprintf("mlx5_%d", i), roce))
	}
	root = sysfstest.Join(tree, roce.Under("spare")).Write(b)
	return root, filepath.Join(root, "spare")
}

func BenchmarkDevices(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			root, _ := roomful(b, n)
			h, err := Open(Options{Root: root, Detail: Summary})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			for b.Loop() {
				if all, _, err := h.Devices(b.Context()); err != nil || len(all) != n {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}

// added is a client that tells when it was added to a device.
type added chan string

func (added) Name() string { return "added" }

func (a added) Add(_ context.Context, d core.Device) (any, error) {
	a <- d.Info.Name
	return nil, nil
}

func (added) Remove(context.Context, core.Device, any) error { return nil }

// BenchmarkEventToAdd is the time from an event about a new device to the client's
// Add: list, compare, read the device, register it. The list is one of sysfs,
// which is slower than nldev's.
func BenchmarkEventToAdd(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := startPlugging(b, n)
			adds := make(added, n)
			if err := p.reg.RegisterClient(b.Context(), adds); err != nil {
				b.Fatal(err)
			}
			for range n {
				<-adds
			}
			for b.Loop() {
				p.plug(b)
				<-adds
				b.StopTimer()
				p.unplug(b)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkEventToLastAdd is the same as far as the end of the last Add, with the
// two clients that ibctl serve has, each in its process.
func BenchmarkEventToLastAdd(b *testing.B) {
	p := startPlugging(b, 1)
	dir, err := os.MkdirTemp("", "ibb") // its path is short enough for sockets
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	sup, err := supervisor.New(supervisor.Config{RunDir: filepath.Join(dir, "run")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(sup.Close)
	config := fmt.Appendf(nil, `{"root":%q}`, p.root)
	for _, name := range []string{roce.Name, cm.Name} {
		client, err := sup.Start(b.Context(), supervisor.Spec{Name: name, Config: config})
		if err == nil {
			err = p.reg.RegisterClient(b.Context(), client)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := errors.Join(p.reg.UnregisterClient(context.Background(), name), client.Stop(context.Background())); err != nil {
				b.Error(err)
			}
		})
	}
	events := p.reg.Subscribe()
	for b.Loop() {
		p.plug(b)
		for {
			e, err := events.Next(b.Context())
			if err != nil || e.Err != nil {
				b.Fatal(err, e.Err)
			}
			if e.Kind == core.DeviceRegistered {
				break
			}
		}
		b.StopTimer()
		p.unplug(b)
		b.StartTimer()
	}
}

// plugging is a follower of a tree with a device that comes and goes.
type plugging struct {
	root, spare, hot string
	devices          int // without it
	reg              *core.Registry
	follower         *follower
}

func startPlugging(b *testing.B, n int) *plugging {
	b.Helper()
	root, spare := roomful(b, n)
	h, err := Open(Options{Root: root, Detail: Summary})
	if err != nil {
		b.Fatal(err)
	}
	p := &plugging{root: root, spare: spare, hot: filepath.Join(root, "class/infiniband/hot"), devices: n, reg: core.NewRegistry(core.Options{})}
	synced := make(chan struct{})
	p.follower = newFollower(p.reg, FollowOptions{Synced: func() { close(synced) }}, h.listForFollow, h.readForFollow)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.follower.run(ctx) }()
	b.Cleanup(func() {
		stop()
		<-ended
		h.Close()
	})
	<-synced
	return p
}

func (p *plugging) plug(b *testing.B) {
	if err := os.Rename(p.spare, p.hot); err != nil {
		b.Fatal(err)
	}
	p.follower.hint(b.Context(), hint{name: "hot"})
}

func (p *plugging) unplug(b *testing.B) {
	if err := os.Rename(p.hot, p.spare); err != nil {
		b.Fatal(err)
	}
	p.follower.hint(b.Context(), hint{name: "hot"})
	waitGone(b, p.reg, p.devices)
}

func waitGone(b *testing.B, reg *core.Registry, n int) {
	b.Helper()
	events := reg.Subscribe()
	for len(reg.Devices()) > n {
		if _, err := events.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
