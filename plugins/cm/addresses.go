package cm

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/iproute"
)

// address is an address of a device to listen on.
type address struct {
	ip     netip.Addr // with the interface's index as zone if link-local
	port   uint32
	netdev string
}

type addresses []address

func (all addresses) has(ip netip.Addr) bool {
	for _, a := range all {
		if a.ip == ip {
			return true
		}
	}
	return false
}

func compareAddresses(a, b address) int {
	return cmp.Or(cmp.Compare(a.port, b.port), a.ip.Compare(b.ip))
}

// addresses lists the IP addresses that a device can be reached by: those in the
// GID tables of its ports. only narrows it down to one, if it is valid.
// Addresses that a device has which the client is not attached to are left out:
// the kernel might bind to that one.
func (c *Client) addresses(ctx context.Context, dev *device, only netip.Addr) (addresses, error) {
	strangers, err := c.strangers(ctx)
	if err != nil {
		return nil, err
	}
	var all addresses
	var errs []error
	for _, p := range dev.Info().Ports {
		entries, err := c.table(ctx, dev, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, e := range entries {
			a, ok := listenable(e, only)
			if ok && !all.has(a.ip) && !slices.ContainsFunc(strangers, func(s stranger) bool { return c.serves(ctx, s, e.GID, e.Netdev) }) {
				all = append(all, a)
			}
		}
	}
	slices.SortFunc(all, compareAddresses)
	if len(all) > 0 {
		return all, nil
	}
	return nil, errors.Join(errs...)
}

// table returns the GIDs of a port. An InfiniBand port's are no IP addresses;
// those are IPoIB's.
func (c *Client) table(ctx context.Context, dev *device, p rdma.Port) ([]rdma.GIDEntry, error) {
	if p.LinkLayer == rdma.LinkLayerInfiniBand {
		return ipoibEntries(p)
	}
	table, _, err := dev.dir.GIDs(ctx, dev.name(), p.Number, false)
	return table.Entries, err
}

// ipoibEntries are the addresses of an InfiniBand port's netdev in the form of
// GIDs, which on RoCE are IP addresses.
func ipoibEntries(p rdma.Port) ([]rdma.GIDEntry, error) {
	if p.Netdev == "" {
		return nil, nil
	}
	link, err := net.InterfaceByName(p.Netdev)
	if err != nil {
		return nil, err
	}
	addrs, err := link.Addrs()
	if err != nil {
		return nil, err
	}
	var entries []rdma.GIDEntry
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			entries = append(entries, rdma.GIDEntry{Port: p.Number, GID: rdma.GIDFromAddr(iproute.AddrFrom(n.IP)), Netdev: p.Netdev})
		}
	}
	return entries, nil
}

// listenable returns the address that an entry stands for.
func listenable(e rdma.GIDEntry, only netip.Addr) (address, bool) {
	a := address{ip: e.GID.Addr(), port: e.Port, netdev: e.Netdev}
	if e.GID.IsLinkLocal() {
		link, err := net.InterfaceByName(e.Netdev)
		if err != nil {
			return a, false // another namespace's
		}
		a.ip = a.ip.WithZone(strconv.Itoa(link.Index))
	}
	return a, !only.IsValid() || only == a.ip
}
