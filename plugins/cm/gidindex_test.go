package cm

import (
	"net/netip"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

var hostA = netip.MustParseAddr("10.1.1.1")

func mustAddrPort(t *testing.T, ip string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddr(ip)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(a, DefaultPort)
}

func TestListenable(t *testing.T) {
	entry := rdma.GIDEntry{GID: rdma.GIDFromAddr(hostA), Port: 1, Netdev: "eth0"}
	if a, ok := listenable(entry, netip.Addr{}); !ok || a.ip != hostA {
		t.Errorf("%v, %v", a, ok)
	}
	if _, ok := listenable(entry, hostA); !ok {
		t.Error("the address asked for is not listened on")
	}
	if _, ok := listenable(entry, netip.MustParseAddr("10.1.1.2")); ok {
		t.Error("another address than the one asked for")
	}
	local := rdma.GIDEntry{GID: rdma.GID{0xfe, 0x80, 15: 1}, Netdev: "nowhere0"}
	if a, ok := listenable(local, netip.Addr{}); ok {
		t.Errorf("a link-local address of another namespace's netdev: %v", a)
	}
	local.Netdev = "lo"
	if a, ok := listenable(local, netip.Addr{}); !ok || a.ip.Zone() != "1" {
		t.Errorf("a link-local address: %v, %v", a.ip, ok)
	}
}
