package daemon

import (
	"context"
	"errors"
	"sync"

	"github.com/ibctl/ibctl/internal/host"
)

// follow keeps the registry like the kernel until stop is called; synced is closed
// when it is so for the first time.
func (d *daemon) follow() (stop func(), synced <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan struct{})
	var following sync.WaitGroup
	follow := d.followHost
	switch {
	case d.source != nil:
		follow = func(ctx context.Context, synced func()) { d.source(ctx, keeper{d.registry, d}, synced) }
	case d.Root != "":
		follow = d.registerTree
	}
	following.Go(func() { follow(ctx, func() { close(first) }) })
	return func() {
		cancel()
		following.Wait()
	}, first
}

func (d *daemon) followHost(ctx context.Context, synced func()) {
	err := d.full.Follow(ctx, keeper{d.registry, d}, host.FollowOptions{Synced: synced, Report: d.complaints.hear})
	if !errors.Is(err, context.Canceled) {
		d.complaints.hear(err)
	}
}

// registerTree registers what is in a captured tree, which does not change.
func (d *daemon) registerTree(ctx context.Context, synced func()) {
	devices, warnings, err := d.full.Devices(ctx)
	if err != nil {
		d.complaints.hear(err)
	}
	for _, w := range warnings {
		d.complaints.hear(w)
	}
	for _, dev := range devices {
		if _, err := d.registry.RegisterDevice(ctx, dev); err != nil {
			d.complaints.hear(err)
		}
	}
	synced()
}
