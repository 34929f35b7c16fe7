package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// listForFollow lists the devices with what identifies them.
func (h *Host) listForFollow(ctx context.Context) ([]sighting, error) {
	list, warnings, err := h.names(ctx)
	if err != nil {
		return nil, h.orNoRDMA(err)
	}
	for _, w := range warnings {
		if errors.Is(w, nldev.ErrMalformed) {
			return nil, w // who is missing from such a list need not be gone
		}
	}
	seen := make([]sighting, 0, len(list))
	for _, d := range list {
		k := key{index: d.Index}
		if !d.Index.IsKnown() {
			k.instance, err = h.fs.Instance(d.Name)
			if errors.Is(err, sysfs.ErrNoDevice) {
				continue // it has gone since
			}
			if err != nil {
				return nil, err
			}
		}
		seen = append(seen, sighting{k, d})
	}
	return seen, nil
}

// readForFollow reads a device that was listed. It may have been renamed since,
// and its old name given to another: what was read by the name counts only if
// the index has the name still.
func (h *Host) readForFollow(ctx context.Context, d rdma.Device) (rdma.Device, []rdma.Warning, error) {
	for range maxLists {
		r := h.describe(ctx, d)
		now, err := h.recheck(ctx, d)
		if err != nil {
			return d, nil, err
		}
		if now.Name != d.Name {
			d = now
			continue
		}
		one := []rdma.Device{r.device}
		r.warnings = append(r.warnings, h.finish(ctx, one)...)
		if r.err != nil {
			r.warnings = append(r.warnings, rdma.Warning{Object: d.Name, Op: "read device", Err: r.err})
		}
		return one[0], r.warnings, nil
	}
	return d, nil, fmt.Errorf("%s: renamed faster than it can be read", d.Name)
}

// glance asks nldev alone, which costs few calls, and no file of sysfs.
func (h *Host) glance(ctx context.Context, d rdma.Device) (rdma.Device, bool) {
	r := description{device: d}
	if !d.Index.IsKnown() || h.netlink() == nil || h.readPorts(ctx, &r) != nil || len(r.warnings) > 0 {
		return d, false
	}
	return r.device, true
}

// recheck returns what the list tells of the device now; [ErrVanished] says that
// it is gone.
func (h *Host) recheck(ctx context.Context, d rdma.Device) (rdma.Device, error) {
	index, ok := d.Index.Get()
	nl := h.netlink()
	if !ok || nl == nil {
		if _, err := h.fs.Instance(d.Name); err != nil {
			return d, fmt.Errorf("%w: %w", ErrVanished, err)
		}
		return d, nil
	}
	now, err := nl.Device(ctx, index)
	if errors.Is(err, nldev.ErrNoDevice) {
		return d, fmt.Errorf("%s: %w: %w", d.Name, ErrVanished, err)
	}
	return now.Device, err
}
