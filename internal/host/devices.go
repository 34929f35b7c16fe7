package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// maxLists is how often the devices are listed anew because they were renamed,
// came or went while they were read.
const maxLists = 4

// Devices reads all devices that the network namespace sees, sorted by index,
// then by name. Everything that could not be read is a warning beside what
// could. [ErrNoRDMA] is a host, or a tree, that knows no RDMA.
func (h *Host) Devices(ctx context.Context) ([]rdma.Device, []rdma.Warning, error) {
	list, warnings, err := h.namesOnce(ctx)
	if err != nil {
		return nil, nil, h.orNoRDMA(err)
	}
	read, same := map[identity]description{}, false
	for i := 0; i < maxLists && !same; i++ {
		if err := h.describeAll(ctx, list, read); err != nil {
			return nil, nil, err
		}
		// nldev and sysfs were asked one after the other: what nldev called by
		// a name is what sysfs calls so only if it still is now.
		again, more, err := h.namesOnce(ctx)
		if err != nil {
			return nil, nil, h.orNoRDMA(err)
		}
		same = slices.EqualFunc(list, again, sameName)
		list, warnings = again, more
	}
	if !same {
		if list, warnings, err = h.names(ctx); err != nil {
			return nil, nil, h.orNoRDMA(err)
		}
	}
	if err := h.describeAll(ctx, list, read); err != nil { // nothing is left, as a rule
		return nil, nil, err
	}
	devices, more := assemble(list, read)
	return devices, append(append(warnings, more...), h.finish(ctx, devices)...), nil
}

// identity is what tells one device from another in two lists.
type identity struct {
	index rdma.Opt[uint32]
	name  string
}

func identify(d rdma.Device) identity { return identity{d.Index, d.Name} }

func sameName(a, b rdma.Device) bool { return identify(a) == identify(b) }

// description is what came of reading one device.
type description struct {
	device   rdma.Device
	warnings []rdma.Warning
	err      error
}

// describeAll reads the devices of list that read does not hold yet. Different
// devices are read at the same time: many drivers ask the firmware.
func (h *Host) describeAll(ctx context.Context, list []rdma.Device, read map[identity]description) error {
	var todo []rdma.Device
	for _, d := range list {
		if _, done := read[identify(d)]; !done {
			todo = append(todo, d)
		}
	}
	results := make([]description, len(todo))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range todo {
		group.Go(func() error {
			results[i] = h.describe(ctx, todo[i])
			return nil
		})
	}
	_ = group.Wait() // the errors are in the results
	for i, r := range results {
		read[identify(todo[i])] = r
	}
	return context.Cause(ctx)
}

// assemble puts the descriptions of the listed devices together. A device that
// is listed still, and could not be read, is a warning and what is known of it.
func assemble(list []rdma.Device, read map[identity]description) (devices []rdma.Device, warnings []rdma.Warning) {
	devices = make([]rdma.Device, 0, len(list))
	for _, d := range list {
		r := read[identify(d)]
		devices = append(devices, r.device)
		warnings = append(warnings, r.warnings...)
		if r.err != nil {
			warnings = append(warnings, rdma.Warning{Object: d.Name, Op: "read device", Err: r.err})
		}
	}
	slices.SortFunc(devices, byIndexAndName)
	return devices, warnings
}

// finish fills in what is found by looking at all devices, or at other things
// than devices. It stays on the caller's thread, and in its namespace.
func (h *Host) finish(ctx context.Context, devices []rdma.Device) []rdma.Warning {
	return append(h.addIPoIB(ctx, devices), h.addCharDevs(devices)...)
}

func byIndexAndName(a, b rdma.Device) int {
	last := uint32(math.MaxUint32)
	return cmp.Or(cmp.Compare(a.Index.Or(last), b.Index.Or(last)), cmp.Compare(a.Name, b.Name))
}

// describe reads one device, but for what finish does.
func (h *Host) describe(ctx context.Context, d rdma.Device) description {
	r := description{device: d}
	r.device.Ports = []rdma.Port{}
	if r.err = h.readPorts(ctx, &r); r.err != nil {
		return r
	}
	more, err := h.fs.Complete(&r.device, h.sysfsDetail(d))
	r.warnings, r.err = append(r.warnings, more...), err
	if err != nil {
		return r
	}
	if d.Protocol == "" {
		// It is an nldev older than Linux 5.2, or none, that did not tell the
		// protocol; it does not tell netdevs either.
		inferProtocol(&r.device)
		r.warnings = append(r.warnings, h.addNetdevs(ctx, &r.device)...)
	}
	h.addPathMTUs(&r.device)
	return r
}

// readPorts asks nldev, if it knows the device.
func (h *Host) readPorts(ctx context.Context, r *description) error {
	index, ok := r.device.Index.Get()
	nl := h.netlink()
	if !ok || nl == nil {
		return nil
	}
	ports, err := nl.Ports(ctx, index)
	r.device.Ports = append(r.device.Ports, ports...)
	if errors.Is(err, nldev.ErrNoDevice) {
		return fmt.Errorf("%w: %w", ErrVanished, err)
	}
	if err != nil {
		r.warnings = append(r.warnings, rdma.Warning{Object: r.device.Name, Op: "list ports", Err: err})
	}
	return nil
}

// sysfsDetail asks for the board where the protocol may hang on it.
func (h *Host) sysfsDetail(d rdma.Device) sysfs.Detail {
	if h.detail == Full || d.Protocol == "" {
		return sysfs.Full
	}
	return sysfs.Summary
}

// orNoRDMA says that there is no RDMA where that is why a list failed.
func (h *Host) orNoRDMA(err error) error {
	if _, sysErr := h.fs.Devices(); errors.Is(sysErr, ErrNoRDMA) {
		return ErrNoRDMA
	}
	return err
}
