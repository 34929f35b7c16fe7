package libenv

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
)

// HCAList is the value of NCCL_IB_HCA.
type HCAList struct {
	Not, Exact bool
	Items      []HCAItem
}

// HCAItem is one name of it: a prefix of a device's name, or all of it where the
// list is exact, and a port.
type HCAItem struct {
	Name string
	Port rdma.Opt[int]
}

// maxHCAs is how many names NCCL reads (MAX_IB_DEVS).
const maxHCAs = 32

// ParseHCAList reads NCCL_IB_HCA as NCCL does: '^' comes before '='.
func ParseHCAList(value string) (l HCAList) {
	value, l.Not = strings.CutPrefix(value, "^")
	value, l.Exact = strings.CutPrefix(value, "=")
	for entry := range strings.SplitSeq(value, ",") {
		name, rest, _ := strings.Cut(entry, ":")
		port, _, _ := strings.Cut(rest, ":") // rail and plane may follow
		if name == "" || len(l.Items) == maxHCAs {
			continue
		}
		item := HCAItem{Name: name}
		if port != "" {
			item.Port = rdma.Known(atoi(port))
		}
		l.Items = append(l.Items, item)
	}
	return l
}

// atoi is C's: what is no number is 0, and what follows one does not matter.
func atoi(text string) int {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end])
	return n
}

// Fits tells whether the item names the port. A port number of -1 is any.
func (i HCAItem) Fits(exact bool, device string, port uint32) bool {
	if number, given := i.Port.Get(); given && number != int(port) {
		return false
	}
	if exact {
		return device == i.Name
	}
	return strings.HasPrefix(device, i.Name)
}

// Selects tells whether NCCL uses the port, if it is active.
func (l HCAList) Selects(device string, port uint32) bool {
	matches := len(l.Items) == 0
	for _, item := range l.Items {
		matches = matches || item.Fits(l.Exact, device, port)
	}
	return matches != l.Not
}

// GIDSearch is what NCCL looks for where NCCL_IB_GID_INDEX is not set.
type GIDSearch struct {
	Version int          // of RoCE
	IPv6    bool         // the address family
	Range   netip.Prefix // of addresses; invalid: all
}

// find returns the index that NCCL comes to (ncclIbGetGidIndex). It walks up the
// table and goes to the next entry if that is better, by rules which are not quite
// an order.
func (s GIDSearch) find(p Port) uint32 {
	current := uint32(0)
	for next := uint32(1); next < p.slots(); next++ {
		if s.better(p.Entry(next), p.Entry(current)) {
			current = next
		}
	}
	return current
}

func (s GIDSearch) better(next, current rdma.GIDEntry) bool {
	if isIPv6(next.GID) != s.IPv6 || !s.inRange(next.GID) {
		return false
	}
	if isIPv6(current.GID) != s.IPv6 {
		return true
	}
	if !validGID(next.GID) || ncclVersion(next.Type) != s.Version {
		return false
	}
	return ncclVersion(current.Type) != s.Version || !validGID(current.GID)
}

func (s GIDSearch) inRange(g rdma.GID) bool {
	return !s.Range.IsValid() || s.Range.Bits() == 0 || s.Range.Contains(g.Addr())
}

// isIPv6 tells what NCCL takes for IPv6, which is all that is not IPv4: empty slots,
// too.
func isIPv6(g rdma.GID) bool {
	_, v4 := g.IPv4()
	return !v4
}

// validGID leaves out empty ones and fe80::/64.
func validGID(g rdma.GID) bool {
	return !g.IsZero() && g.SubnetPrefix() != 0xfe80<<48
}

func ncclVersion(t rdma.GIDType) int {
	switch {
	case t == rdma.GIDTypeRoCEv2:
		return 2
	case t == rdma.GIDTypeIBOrRoCEv1:
		return 1
	}
	return 0
}

// GID returns the entry that NCCL uses on a port: that of an index which was set,
// or what it finds. On InfiniBand it is the first.
func (s GIDSearch) GID(p Port, index rdma.Opt[int64]) rdma.GIDEntry {
	set, known := index.Get()
	switch {
	case !p.roce():
		return p.Entry(0)
	case known && set >= 0:
		return p.Entry(uint32(set))
	}
	return p.Entry(s.find(p))
}

// rangeOf returns the smallest prefix that holds the addresses, which are of one
// family.
func rangeOf(addrs []netip.Addr) netip.Prefix {
	bits := addrs[0].BitLen()
	for _, a := range addrs[1:] {
		bits = min(bits, commonBits(addrs[0], a))
	}
	p, _ := addrs[0].Prefix(bits)
	return p
}

func commonBits(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	n := 0
	for i := 0; i < len(x); i += 4 {
		diff := binary.BigEndian.Uint32(x[i:]) ^ binary.BigEndian.Uint32(y[i:])
		for mask := uint32(1 << 31); mask != 0; mask >>= 1 {
			if diff&mask != 0 {
				return n
			}
			n++
		}
	}
	return n
}
