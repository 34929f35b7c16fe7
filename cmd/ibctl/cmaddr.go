package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// addressText shows an address of the connection manager with its port:
// "10.1.1.2:7174", "[fe80::1%eth0]:7174", or a GID with a service id. Nothing is "".
func addressText(a *cmv1.Address) string {
	if len(a.GetGid()) == len(rdma.GID{}) {
		return fmt.Sprintf("%v sid 0x%016x", rdma.GID(a.GetGid()), a.GetServiceId())
	}
	ip, err := a.AddrPort()
	if err != nil || !ip.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(named(ip.Addr()), ip.Port()).String()
}

// ipText is addressText without the port.
func ipText(a *cmv1.Address) string {
	ip, err := a.AddrPort()
	if err != nil || !ip.IsValid() {
		return ""
	}
	return named(ip.Addr()).String()
}

// named shows the interface of a link-local address by its name, if this
// namespace has it.
func named(ip netip.Addr) netip.Addr {
	index, err := strconv.Atoi(ip.Zone())
	if err != nil {
		return ip
	}
	link, err := net.InterfaceByIndex(index)
	if err != nil {
		return ip
	}
	return ip.WithZone(link.Name)
}

// parseHost reads an address of a host, or looks its name up. The interface of a
// link-local address may be a name or an index.
func parseHost(ctx context.Context, what, text string, port uint16) (*cmv1.Address, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		if ip, err = lookUp(ctx, text); err != nil {
			return nil, err
		}
	}
	if ip, err = indexed(what, ip); err != nil {
		return nil, err
	}
	return cmv1.NewAddress(netip.AddrPortFrom(ip.Unmap(), port)), nil
}

// parseIP reads an address and no name.
func parseIP(what, text string, port uint16) (*cmv1.Address, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil, usagef("%s %s: not an IPv4 or IPv6 address", what, text)
	}
	if ip, err = indexed(what, ip); err != nil {
		return nil, err
	}
	return cmv1.NewAddress(netip.AddrPortFrom(ip.Unmap(), port)), nil
}

func indexed(what string, ip netip.Addr) (netip.Addr, error) {
	zone := ip.Zone()
	if zone == "" {
		return ip, nil
	}
	if _, err := strconv.ParseUint(zone, 10, 31); err == nil {
		return ip, nil
	}
	link, err := net.InterfaceByName(zone)
	if err != nil {
		return ip, usagef("%s %v: there is no network interface %s", what, ip, zone)
	}
	return ip.WithZone(strconv.Itoa(link.Index)), nil
}

// unknownHostError is a name that nothing has an address for.
type unknownHostError struct {
	name  string
	cause error
}

// Error implements error.
func (e *unknownHostError) Error() string {
	return fmt.Sprintf("%s: neither an address nor the name of a host: %v", e.name, e.cause)
}

// Unwrap returns the cause.
func (e *unknownHostError) Unwrap() error { return e.cause }

// lookUp returns the first address of a host, in the order of RFC 6724.
func lookUp(ctx context.Context, name string) (netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, &unknownHostError{name, err}
	}
	return addrs[0], nil
}
