package rdma

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// GID is a 128-bit port address in network order (IBTA 1.5, 4.1.1). On RoCE it
// is an IPv6 address, or an IPv4 address mapped into one.
type GID [16]byte

// String returns the full text that sysfs prints, all eight groups:
// fe80:0000:0000:0000:5054:00ff:fe12:3456.
func (g GID) String() string {
	b := make([]byte, 0, 39)
	for i := 0; i < len(g); i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = fmt.Appendf(b, "%02x%02x", g[i], g[i+1])
	}
	return string(b)
}

// MarshalText implements encoding.TextMarshaler.
func (g GID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *GID) UnmarshalText(text []byte) error {
	v, err := ParseGID(string(text))
	if err != nil {
		return err
	}
	*g = v
	return nil
}

// ParseGID reads a GID in any IPv6 text form, ::ffff:10.0.0.1 included. A plain
// IPv4 address is not a GID: see [GIDFromAddr].
func ParseGID(text string) (GID, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return GID{}, fmt.Errorf("parse GID %q: want IPv6 text", text)
	}
	return addr.As16(), nil
}

// GIDFromAddr returns the GID that stands for an IP address on RoCE: IPv6 as it
// is, IPv4 as ::ffff:a.b.c.d (kernel: ip6_addr and rdma_ip2gid, rdma/ib_addr.h).
func GIDFromAddr(addr netip.Addr) GID { return addr.As16() }

// IsZero tells whether all bits are zero, which is how sysfs shows an empty slot.
func (g GID) IsZero() bool { return g == GID{} }

// Addr returns the IP address that g stands for: an IPv4 address if one is
// mapped into it, else the IPv6 address.
func (g GID) Addr() netip.Addr { return netip.AddrFrom16(g).Unmap() }

// IPv4 returns the IPv4 address mapped into g, if there is one.
func (g GID) IPv4() (netip.Addr, bool) {
	a := g.Addr()
	return a, a.Is4()
}

// SubnetPrefix returns the upper 64 bits.
func (g GID) SubnetPrefix() uint64 { return binary.BigEndian.Uint64(g[:8]) }

// InterfaceID returns the lower 64 bits; on InfiniBand it is the port GUID.
func (g GID) InterfaceID() GUID { return GUID(binary.BigEndian.Uint64(g[8:])) }

// IsLinkLocal tells whether g lies in fe80::/10.
func (g GID) IsLinkLocal() bool { return netip.AddrFrom16(g).IsLinkLocalUnicast() }

// GIDType is the type of a GID table entry in the kernel's own words, as
// gid_attrs/types prints it (drivers/infiniband/core/cache.c, gid_type_str). A
// text that ibctl does not know is kept as it is; empty means unknown.
type GIDType string

// The types of today's kernels. "IB/RoCE v1" serves both: on an InfiniBand port
// it means IB, on an Ethernet port RoCE v1.
const (
	GIDTypeIBOrRoCEv1 GIDType = "IB/RoCE v1"
	GIDTypeRoCEv2     GIDType = "RoCE v2"
)

// GIDEntry is one slot of a port's GID table.
type GIDEntry struct {
	Device string  `json:"device"`
	Port   uint32  `json:"port"`
	Index  uint32  `json:"index"`
	GID    GID     `json:"gid"`
	Type   GIDType `json:"type,omitzero"`
	// Netdev is a name in the namespace that registered it; empty where the
	// entry has none (InfiniBand) or the kernel did not say.
	Netdev string `json:"netdev,omitzero"`
	// Default tells whether the slot is one of those the kernel reserves for
	// default GIDs. The kernel does not say it: it follows from the index
	// (cache.c, gid_table_reserve_default).
	Default Opt[bool] `json:"default,omitzero"`
}

// Empty tells whether the slot holds no GID.
func (e GIDEntry) Empty() bool { return e.GID.IsZero() }
