package counters

import (
	"context"
	"errors"
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// Reader reads counters of this host, or of a captured tree. It holds no device.
// Its methods may be called by any number of goroutines at once.
type Reader struct {
	sys *sysfs.FS
	nl  *nldev.Conn // nil: none
}

// NewReader returns a Reader of what sys and nl show, which stay the caller's. A
// nil nl stands for a kernel, or a tree, without nldev.
func NewReader(sys *sysfs.FS, nl *nldev.Conn) *Reader { return &Reader{sys: sys, nl: nl} }

// Open returns a Reader of this host, which sees the devices of the calling
// thread's network namespace, or with a root of a captured tree. The caller
// closes it.
func Open(root string) (*Reader, error) {
	if root != "" {
		sys, err := sysfs.Open(root)
		if err != nil {
			return nil, err
		}
		return NewReader(sys, nil), nil
	}
	nl, err := nldev.Dial()
	if err != nil && !errors.Is(err, nldev.ErrUnavailable) {
		return nil, err
	}
	return NewReader(sysfs.Live(), nl), nil
}

// Close frees what Open opened.
func (r *Reader) Close() error {
	if r.nl == nil {
		return r.sys.Close()
	}
	return errors.Join(r.nl.Close(), r.sys.Close())
}

// Device reads the counters of all of a device's ports, and then its own.
func (r *Reader) Device(ctx context.Context, d rdma.Device) (all []Counter, warnings []rdma.Warning, err error) {
	for _, p := range d.Ports {
		found, more, err := r.Port(ctx, d, p.Number)
		all, warnings = append(all, found...), append(warnings, more...)
		if err != nil {
			return all, warnings, err
		}
	}
	own, more, err := r.sysfs(d, rdma.Opt[uint32]{}, nil)
	return append(all, own...), append(warnings, more...), err
}

// Port reads the counters of one port: over netlink as far as they are there,
// and the rest from sysfs. An error means that the device or the port is gone;
// what else can't be read is a warning.
func (r *Reader) Port(ctx context.Context, d rdma.Device, port uint32) ([]Counter, []rdma.Warning, error) {
	told, warnings, err := r.netlink(ctx, d, port)
	if err != nil {
		return nil, nil, err
	}
	known := map[string]bool{}
	for _, c := range told {
		known[c.Name] = true
	}
	files, more, err := r.sysfs(d, rdma.Known(port), func(name string) bool { return known[name] })
	return append(files, told...), append(warnings, more...), err
}

// netlink asks for the driver's counters. A driver that has none to tell may
// have them in sysfs all the same.
func (r *Reader) netlink(ctx context.Context, d rdma.Device, port uint32) ([]Counter, []rdma.Warning, error) {
	index, ok := d.Index.Get()
	if !ok || r.nl == nil {
		return nil, nil, nil
	}
	list, err := r.nl.Counters(ctx, index, port)
	var counters []Counter
	for _, c := range list {
		counters = append(counters, newCounter(d, rdma.Known(port), c.Name, c.Value, Netlink))
	}
	switch {
	case err == nil, errors.Is(err, nldev.ErrNoCounters):
		return counters, nil, nil
	case errors.Is(err, nldev.ErrNoDevice):
		return nil, nil, gone(d, err)
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	}
	return counters, []rdma.Warning{{Object: portName(d, port), Op: "read counters over netlink", Err: err}}, nil
}

// sysfs reads files, those of the agent first.
func (r *Reader) sysfs(d rdma.Device, port rdma.Opt[uint32], skip func(string) bool) ([]Counter, []rdma.Warning, error) {
	dev, err := r.sys.OpenDevice(d.Name)
	if err != nil {
		return nil, nil, gone(d, err)
	}
	defer dev.Close() //nolint:errcheck // nothing was written
	files, warnings, err := dev.Counters(d.Name, port, skip)
	if err != nil {
		return nil, warnings, gone(d, err)
	}
	var counters []Counter
	for _, f := range files {
		if !inWords(f) {
			counters = append(counters, newCounter(d, port, f.Name, f.Value, Source(f.Group)))
			continue
		}
		octets, ok := inOctets(f.Value)
		if !ok {
			warnings = append(warnings, rdma.Warning{Object: objectName(d, port), Op: "read " + f.Group + "/" + f.Name,
				Err: fmt.Errorf("%d words %w", f.Value, sysfs.ErrNonsense)})
			continue
		}
		counters = append(counters, newCounter(d, port, f.Name, octets, Source(f.Group)))
	}
	return counters, warnings, nil
}

// ErrGone says that a device or port went away since it was listed.
var ErrGone = errors.New("gone since it was listed")

func gone(d rdma.Device, err error) error {
	if errors.Is(err, nldev.ErrNoDevice) || errors.Is(err, sysfs.ErrNoDevice) || errors.Is(err, sysfs.ErrVanished) || errors.Is(err, sysfs.ErrNoPort) {
		return fmt.Errorf("%s: %w: %w", d.Name, ErrGone, err)
	}
	return err
}

func objectName(d rdma.Device, port rdma.Opt[uint32]) string {
	if n, ok := port.Get(); ok {
		return portName(d, n)
	}
	return d.Name
}

func portName(d rdma.Device, port uint32) string { return fmt.Sprintf("%s/%d", d.Name, port) }
