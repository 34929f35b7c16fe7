package lab

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// inventory is what the kernel of the lab holds at one moment. RDMA devices and netdevs are known by their indices, which the
// kernel does not use twice in the life of a VM, so a renamed device is still the same.
type inventory struct {
	rdma  map[uint32]string
	links map[int]string
	mode  string // of RDMA devices in namespaces
}

func takeInventory() (inventory, error) {
	inv := inventory{links: map[int]string{}}
	nl, err := netlink.NewHandle()
	if err != nil {
		return inv, fmt.Errorf("netlink socket: %w", err)
	}
	defer nl.Close()
	if inv.rdma, err = rdmaDevices(nl); err != nil {
		return inv, err
	}
	if inv.mode, err = nl.RdmaSystemGetNetnsMode(); err != nil {
		return inv, fmt.Errorf("RDMA netns mode: %w", err)
	}
	links, err := nl.LinkList()
	if err != nil {
		return inv, fmt.Errorf("list netdevs: %w", err)
	}
	for _, l := range links {
		inv.links[l.Attrs().Index] = l.Attrs().Name
	}
	return inv, nil
}

func rdmaDevices(nl *netlink.Handle) (map[uint32]string, error) {
	list, err := nl.RdmaLinkList()
	if err != nil {
		return nil, fmt.Errorf("list RDMA devices: %w", err)
	}
	devices := make(map[uint32]string)
	for _, d := range list {
		devices[d.Attrs.Index] = d.Attrs.Name
	}
	return devices, nil
}

// Close removes what has been added since the topology was built, by it or by others: RDMA devices before the netdevs they lie on,
// then netdevs, then namespaces. It goes on after an error. A device that something still uses keeps it waiting.
func (n *Net) Close() error {
	var errs []error
	for name, space := range n.spaces {
		errs = append(errs, inSpace(name, n.removeRDMA(space.nl)))
	}
	errs = append(errs, n.removeLinks(n.spaces[""].nl))
	for _, name := range n.names() {
		errs = append(errs, inSpace(name, netns.DeleteNamed(name)))
	}
	for _, space := range n.spaces {
		space.nl.Close()
		errs = append(errs, space.ns.Close())
	}
	errs = append(errs, n.restoreMode())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("lab: remove the topology: %w", err)
	}
	return nil
}

func inSpace(name string, err error) error {
	if err == nil || name == "" {
		return err
	}
	return fmt.Errorf("namespace %s: %w", name, err)
}

func (n *Net) removeRDMA(nl *netlink.Handle) error {
	devices, err := rdmaDevices(nl)
	if err != nil {
		return err
	}
	var errs []error
	for index, name := range devices {
		if _, old := n.before.rdma[index]; old {
			continue
		}
		if err := nl.RdmaLinkDel(name); err != nil && hasRDMA(nl, index) {
			errs = append(errs, fmt.Errorf("remove RDMA device %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// hasRDMA tells whether a device that could not be removed is still there; or it went by itself meanwhile, with its netdev.
func hasRDMA(nl *netlink.Handle, index uint32) bool {
	devices, err := rdmaDevices(nl)
	_, there := devices[index]
	return err != nil || there
}

func (n *Net) removeLinks(nl *netlink.Handle) error {
	links, err := nl.LinkList()
	if err != nil {
		return fmt.Errorf("list netdevs: %w", err)
	}
	var errs []error
	for _, l := range links {
		if _, old := n.before.links[l.Attrs().Index]; old {
			continue
		}
		if err := nl.LinkDel(l); err != nil && !isGone(err) {
			errs = append(errs, fmt.Errorf("remove link %s: %w", l.Attrs().Name, err))
		}
	}
	return errors.Join(errs...)
}

// isGone tells whether a netdev had already gone, with its parent or peer, when it was to be removed.
func isGone(err error) bool {
	var missing netlink.LinkNotFoundError
	return errors.Is(err, syscall.ENODEV) || errors.As(err, &missing)
}

func (n *Net) restoreMode() error {
	mode, err := netlink.RdmaSystemGetNetnsMode()
	if err != nil || mode == n.before.mode {
		return err
	}
	return setRDMANetns(n.before.mode)
}
