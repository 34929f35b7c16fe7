package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// Selection is what an argument names.
type Selection struct {
	Device rdma.Device
	// Port and Index are those that the argument gave: DEV/PORT/INDEX.
	Port, Index rdma.Opt[uint32]
	// NetdevPort is the port behind the netdev by which the argument named the
	// device, if it has no other.
	NetdevPort rdma.Opt[uint32]
}

// Selector is a parsed argument: DEV, DEV/PORT or DEV/PORT/INDEX, where DEV is a
// device's name, its kernel index (#3), its node GUID, its PCI address or a
// netdev.
type Selector struct {
	arg         string
	dev         string
	port, index rdma.Opt[uint32]
}

// ParseSelector reads an argument. [ErrBadSelector] says that it is none.
func ParseSelector(arg string) (Selector, error) {
	parts := strings.Split(arg, "/")
	s := Selector{arg: arg, dev: parts[0]}
	numbers := []*rdma.Opt[uint32]{&s.port, &s.index}
	if s.dev == "" || len(parts)-1 > len(numbers) {
		return Selector{}, fmt.Errorf("%q: %w", arg, ErrBadSelector)
	}
	for i, text := range parts[1:] {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return Selector{}, fmt.Errorf("%q: %w", arg, ErrBadSelector)
		}
		*numbers[i] = rdma.Known(uint32(n))
	}
	return s, nil
}

// Select finds what arg names among devices. It returns [ErrBadSelector],
// [ErrNotFound], or an [AmbiguousError] if several devices fit, in whatever way
// each of them does.
func Select(devices []rdma.Device, arg string) (Selection, error) {
	s, err := ParseSelector(arg)
	if err != nil {
		return Selection{}, err
	}
	return s.pick(s.match(devices))
}

// Select finds what arg names among devices, as the function does. A netdev may
// be one that is no port's own as well, such as a VLAN or a bond, which the GID
// tables of its ports name; they are read if nothing else fits.
func (h *Host) Select(ctx context.Context, devices []rdma.Device, arg string) (Selection, error) {
	selection, err := Select(devices, arg)
	if !errors.Is(err, ErrNotFound) || len(devices) == 0 {
		return selection, err
	}
	s, parseErr := ParseSelector(arg)
	if parseErr != nil {
		return selection, err
	}
	if upper := h.behindUpper(ctx, devices, s.dev); len(upper) > 0 {
		return s.pick(upper)
	}
	return selection, err
}

// match is a device that fits, and why it does if a netdev is why.
type match struct {
	device     rdma.Device
	netdevPort rdma.Opt[uint32]
}

// match returns the devices that fit.
func (s Selector) match(devices []rdma.Device) []match {
	var found []match
	for _, d := range devices {
		ports := portsBehind(d, s.dev)
		switch {
		case s.names(d):
			found = append(found, match{device: d})
		case len(ports) == 1:
			found = append(found, match{d, rdma.Known(ports[0])})
		case len(ports) > 1:
			found = append(found, match{device: d})
		}
	}
	return found
}

// names tells whether DEV is the name, index, GUID or address of d.
func (s Selector) names(d rdma.Device) bool {
	if s.dev == d.Name {
		return true
	}
	if digits, ok := strings.CutPrefix(s.dev, "#"); ok {
		n, err := strconv.ParseUint(digits, 10, 32)
		return err == nil && d.Index == rdma.Known(uint32(n))
	}
	if d.PCIAddress != "" && (strings.EqualFold(s.dev, d.PCIAddress) || strings.EqualFold("0000:"+s.dev, d.PCIAddress)) {
		return true
	}
	guid, err := rdma.ParseGUID(s.dev)
	return err == nil && d.NodeGUID == rdma.Known(guid)
}

// portsBehind returns the ports whose netdev has the name.
func portsBehind(d rdma.Device, netdev string) []uint32 {
	var ports []uint32
	for _, p := range d.Ports {
		if p.Netdev == netdev {
			ports = append(ports, p.Number)
		}
	}
	return ports
}

// pick returns the only one of several, with its port checked.
func (s Selector) pick(found []match) (Selection, error) {
	switch len(found) {
	case 0:
		return Selection{}, fmt.Errorf("RDMA device %q %w", s.dev, ErrNotFound)
	case 1:
	default:
		return Selection{}, &AmbiguousError{Arg: s.arg, Candidates: s.candidates(found)}
	}
	m := found[0]
	if port, ok := s.port.Get(); ok && !slices.ContainsFunc(m.device.Ports, func(p rdma.Port) bool { return p.Number == port }) {
		return Selection{}, fmt.Errorf("port %d of RDMA device %s %w", port, m.device.Name, ErrNotFound)
	}
	return Selection{Device: m.device, Port: s.port, Index: s.index, NetdevPort: m.netdevPort}, nil
}

// candidates returns an argument for each device that fits: its name, unless
// that is what is ambiguous.
func (s Selector) candidates(found []match) []string {
	var names []string
	for _, m := range found {
		name := m.device.Name
		if index, ok := m.device.Index.Get(); ok && name == s.dev {
			name = fmt.Sprintf("#%d", index)
		}
		names = append(names, name)
	}
	return names
}
