package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
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
			root, spare := roomful(b, n)
			h, err := Open(Options{Root: root, Detail: Summary})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			adds := make(added, n)
			reg := core.NewRegistry(core.Options{})
			synced := make(chan struct{})
			f := newFollower(reg, FollowOptions{Synced: func() { close(synced) }}, h.listForFollow, h.readForFollow)
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- f.run(ctx) }()
			<-synced
			if err := reg.RegisterClient(ctx, adds); err != nil {
				b.Fatal(err)
			}
			for range n {
				<-adds
			}
			hot := filepath.Join(root, "class/infiniband/hot")
			for b.Loop() {
				if err := os.Rename(spare, hot); err != nil {
					b.Fatal(err)
				}
				f.hint(ctx, hint{name: "hot"})
				<-adds
				b.StopTimer()
				if err := os.Rename(hot, spare); err != nil {
					b.Fatal(err)
				}
				f.hint(ctx, hint{name: "hot"})
				waitGone(b, reg, n)
				b.StartTimer()
			}
			stop()
			<-ended
		})
	}
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
