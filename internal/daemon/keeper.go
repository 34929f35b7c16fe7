package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// keeper is a registry that leaves drained devices alone.
type keeper struct {
	*core.Registry
	*daemon
}

// RegisterDevice implements host.Registry.
func (k keeper) RegisterDevice(ctx context.Context, info rdma.Device) (core.ID, error) {
	_, drained, err := k.records.Get(info)
	if err != nil { // it may be
		k.complaints.hear(fmt.Errorf("%w; no client is added to it before ibctl dev undrain %s", err, info.Name))
	}
	if drained || err != nil || k.parentDrained(info) {
		return k.RegisterDrained(ctx, info)
	}
	return k.Registry.RegisterDevice(ctx, info)
}

// parentDrained tells whether info belongs to a device that nobody is to use.
func (k keeper) parentDrained(info rdma.Device) bool {
	return info.Parent != "" && slices.ContainsFunc(k.Registry.Drained(), func(d core.Device) bool { return d.Info.Name == info.Parent })
}

// UnregisterDevice implements host.Registry. The device is gone for good: its
// index will not come again.
func (k keeper) UnregisterDevice(ctx context.Context, id core.ID) error {
	err := k.Registry.UnregisterDevice(ctx, id)
	if id.Index != core.NoIndex {
		if forgot := k.records.Forget(id.Index); forgot != nil {
			err = errors.Join(err, fmt.Errorf("forget that #%d was drained: %w", id.Index, forgot))
		}
	}
	return err
}
