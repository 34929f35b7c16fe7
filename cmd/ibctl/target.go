package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

// target is what an argument names: a device, a port of it or a slot of the
// port's GID table.
type target struct {
	device      rdma.Device
	port, index rdma.Opt[uint32]
	// given tells whether an argument gave the port by its number.
	given bool
	// named tells whether an argument names it, and not just the wish for all.
	named bool
}

// name returns the target as an argument of ibctl.
func (t target) name() string {
	name := t.device.Name
	if port, ok := t.port.Get(); ok {
		name += fmt.Sprintf("/%d", port)
	}
	if index, ok := t.index.Get(); ok {
		name += fmt.Sprintf("/%d", index)
	}
	return name
}

// linkLayer returns that of one port, if it is known.
func (t target) linkLayer(port uint32) rdma.LinkLayer {
	for _, p := range t.device.Ports {
		if p.Number == port {
			return p.LinkLayer
		}
	}
	return ""
}

// found is what the arguments of a verb name, and which of them name nothing.
type found struct {
	targets  []target
	warnings []rdma.Warning
	problems problems
	// asked is the number of targets, those that were not found included.
	asked int
}

// targets finds what args name; without args, all devices. A device that is not
// there is a problem beside those that are.
func (inv *invocation) targets(ctx context.Context, args []string, detail host.Detail) (found, error) {
	h, err := host.Open(host.Options{Root: inv.root, Detail: detail})
	if err != nil {
		return found{}, err
	}
	defer h.Close() //nolint:errcheck // nothing was written
	devices, warnings, err := inv.listDevices(ctx, h, detail)
	if err != nil {
		return found{}, err
	}
	f := found{warnings: append(inv.notes, warnings...)}
	if len(args) == 0 {
		f.all(devices)
	}
	for _, arg := range args {
		f.add(h.Select(ctx, devices, arg))
	}
	if len(args) > 0 {
		f.dropOtherWarnings(devices)
	}
	f.asked = len(f.targets) + len(f.problems)
	if f.asked == 0 {
		inv.hint("there is no RDMA device on this host, or none that this network namespace may see")
	}
	return f, nil
}

// listDevices asks ibctl serve, or reads for itself.
func (inv *invocation) listDevices(ctx context.Context, h *host.Host, detail host.Detail) ([]rdma.Device, []rdma.Warning, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, nil, err
	}
	if d != nil {
		return d.devices(ctx, detail)
	}
	return h.Devices(ctx)
}

func (f *found) all(devices []rdma.Device) {
	for _, d := range devices {
		f.targets = append(f.targets, target{device: d})
	}
}

// add takes what became of an argument. A netdev stands for the port in front of
// it, where it has but one.
func (f *found) add(s host.Selection, err error) {
	if err != nil {
		f.problems = append(f.problems, selectError(err))
		return
	}
	f.targets = append(f.targets, target{
		device: s.Device, given: s.Port.IsKnown(), port: s.Port.Else(s.NetdevPort), index: s.Index, named: true,
	})
}

func selectError(err error) error {
	if a, ok := errors.AsType[*host.AmbiguousError](err); ok {
		return &usageError{problem: fmt.Sprintf("%q is ambiguous", a.Arg), candidates: a.Candidates}
	}
	return err
}

// dropOtherWarnings leaves out what could not be read of devices that nobody
// asked for.
func (f *found) dropOtherWarnings(devices []rdma.Device) {
	f.warnings = slices.DeleteFunc(f.warnings, func(w rdma.Warning) bool {
		name, _, _ := strings.Cut(w.Object, "/")
		is := func(d rdma.Device) bool { return d.Name == name }
		return slices.ContainsFunc(devices, is) && !slices.ContainsFunc(devicesOf(f.targets), is)
	})
}

// devicesOf returns the devices that targets are about, each once.
func devicesOf(targets []target) []rdma.Device {
	var devices []rdma.Device
	for _, t := range targets {
		if !slices.ContainsFunc(devices, func(d rdma.Device) bool { return d.Name == t.device.Name }) {
			devices = append(devices, t.device)
		}
	}
	return devices
}

// printResult prints r, and returns what else is to be told. Where everything
// that was asked for has failed, there is nothing to print.
func printResult[T any](inv *invocation, f found, r output.Result[T]) error {
	if len(r.Items) == 0 && len(f.problems) > 0 && len(f.problems) >= f.asked {
		inv.printer().Warn(r.Warnings...)
		return f.problems
	}
	if err := output.Print(inv.printer(), r); err != nil {
		return append(f.problems, err)
	}
	if len(f.problems) == 0 {
		return nil
	}
	return f.problems
}
