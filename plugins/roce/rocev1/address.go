package rocev1

import (
	"errors"
	"net/netip"
	"strconv"
)

// NewIPAddress writes an address down; nil for none. The zone of a link-local
// address is an interface index in decimal.
func NewIPAddress(ip netip.Addr) *IPAddress {
	if !ip.IsValid() {
		return nil
	}
	scope, _ := strconv.ParseUint(ip.Zone(), 10, 32) // no zone: 0
	return &IPAddress{Ip: ip.AsSlice(), ScopeId: uint32(scope)}
}

// ErrAddress says that a message holds something else where an IP address should be.
var ErrAddress = errors.New("not an IP address")

// Addr reads an address. Nothing is the zero Addr.
func (x *IPAddress) Addr() (netip.Addr, error) {
	if x == nil || len(x.GetIp()) == 0 {
		return netip.Addr{}, nil
	}
	ip, ok := netip.AddrFromSlice(x.GetIp())
	if !ok {
		return netip.Addr{}, ErrAddress
	}
	if scope := x.GetScopeId(); scope != 0 && ip.Is6() {
		ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
	}
	return ip, nil
}
