package live

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
)

// nla writes an attribute.
func nla(typ uint16, data ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), data...)
	return append(b, make([]byte, -len(b)&3)...)
}

func text(s string) []byte { return append([]byte(s), 0) }
func u32(v uint32) []byte  { return binary.NativeEndian.AppendUint32(nil, v) }
func join(p ...[]byte) (b []byte) {
	for _, part := range p {
		b = append(b, part...)
	}
	return b
}

func linkMessage(typ uint16, index, flags uint32, attrs ...[]byte) []byte {
	b := binary.NativeEndian.AppendUint16([]byte{0, 0}, typ)
	return join(b, u32(index), u32(flags), u32(0), join(attrs...))
}

func TestDecodeLink(t *testing.T) {
	info := func(kind string, data ...[]byte) []byte {
		return nla(unix.IFLA_LINKINFO|unix.NLA_F_NESTED, join(nla(unix.IFLA_INFO_KIND, text(kind)...), nla(unix.IFLA_INFO_DATA, join(data...)...))...)
	}
	base := func(kind string) netstate.Netdev {
		return netstate.Netdev{Ref: netstate.Ref{Netns: 7, Index: 3}, Name: "n", Kind: kind, Link: netstate.Ethernet}
	}
	name := nla(unix.IFLA_IFNAME, text("n")...)
	vlan, bond := base("vlan"), base("bond")
	vlan.VLAN, vlan.Up = rdma.Known(uint16(100)), true
	bond.Bond = &netstate.Bond{Mode: "active-backup", Active: 9}
	plain, hsr := base(""), base("hsr")
	hsr.Lower2 = netstate.Ref{Netns: 7, Index: 8}
	plain.MAC, plain.MTU, plain.Master = rdma.Known(netstate.MAC{2, 0, 0, 0, 0, 10}), 9000, 4
	plain.AltNames, plain.Running, plain.Up = []string{"a", "b"}, true, true
	tests := []struct {
		what    string
		payload []byte
		want    link
	}{
		{"hardware", linkMessage(1, 3, unix.IFF_UP|unix.IFF_LOWER_UP, name, nla(unix.IFLA_ADDRESS, 2, 0, 0, 0, 0, 10), nla(unix.IFLA_MTU, u32(9000)...),
			nla(unix.IFLA_MASTER, u32(4)...), nla(unix.IFLA_PROP_LIST, join(nla(53, text("b")...), nla(53, text("a")...))...)), link{plain, 0, -1}},
		{"VLAN on another namespace's", linkMessage(1, 3, unix.IFF_UP, name, nla(unix.IFLA_LINK, u32(5)...), nla(unix.IFLA_LINK_NETNSID, u32(0)...),
			info("vlan", nla(iflaVLANID, 100, 0))), link{vlan, 5, 0}},
		{"a veth lies on nothing", linkMessage(1, 3, 0, name, nla(unix.IFLA_LINK, u32(5)...), info("veth")), link{base("veth"), 0, -1}},
		{"vxlan", linkMessage(1, 3, 0, name, info("vxlan", nla(iflaVXLANLink, u32(6)...))), link{base("vxlan"), 6, -1}},
		{"HSR", linkMessage(1, 3, 0, name, info("hsr", nla(iflaHSRSlave1, u32(6)...), nla(iflaHSRSlave2, u32(8)...))), link{hsr, 6, -1}},
		{"bond", linkMessage(1, 3, 0, name, info("bond", nla(iflaBondMode, 1), nla(iflaBondActiveSlave, u32(9)...))), link{bond, 0, -1}},
		{"InfiniBand's long address is no MAC", linkMessage(32, 3, 0, name, nla(unix.IFLA_ADDRESS, make([]byte, 20)...)),
			link{netstate.Netdev{Ref: netstate.Ref{Netns: 7, Index: 3}, Name: "n", Link: 32}, 0, -1}},
	}
	for _, tt := range tests {
		if got, err := decodeLink(7, tt.payload); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v; want %+v", tt.what, got, err, tt.want)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 15), linkMessage(1, 3, 0, []byte{3, 0, 1, 0}), linkMessage(1, 3, 0, []byte{200, 0, 1, 0})} {
		if got, err := decodeLink(7, bad); err == nil {
			t.Errorf("%x: got %+v, want an error", bad, got)
		}
	}
}

func TestDecodeAddr(t *testing.T) {
	message := func(family, bits byte, attrs ...[]byte) []byte {
		return join([]byte{family, bits, 0x80, 0}, u32(3), join(attrs...))
	}
	ip := netip.MustParseAddr
	v4, v6 := []byte{10, 0, 0, 1}, ip("2001:db8::1").AsSlice()
	tests := []struct {
		what    string
		payload []byte
		want    netstate.Addr
	}{
		{"IPv4", message(unix.AF_INET, 24, nla(unix.IFA_ADDRESS, v4...), nla(unix.IFA_LOCAL, v4...)),
			netstate.Addr{Local: ip("10.0.0.1"), Bits: 24, Flags: 0x80}},
		{"IPv4 with a peer", message(unix.AF_INET, 32, nla(unix.IFA_ADDRESS, 10, 0, 0, 2), nla(unix.IFA_LOCAL, v4...)),
			netstate.Addr{Local: ip("10.0.0.1"), Peer: ip("10.0.0.2"), Bits: 32, Flags: 0x80}},
		{"IPv6", message(unix.AF_INET6, 64, nla(unix.IFA_ADDRESS, v6...), nla(unix.IFA_FLAGS, u32(0x240)...)),
			netstate.Addr{Local: ip("2001:db8::1"), Bits: 64, Flags: 0x240}},
		{"IPv6 with a peer", message(unix.AF_INET6, 128, nla(unix.IFA_LOCAL, v6...), nla(unix.IFA_ADDRESS, ip("2001:db8::2").AsSlice()...)),
			netstate.Addr{Local: ip("2001:db8::1"), Peer: ip("2001:db8::2"), Bits: 128, Flags: 0x80}},
	}
	for _, tt := range tests {
		if got, index, err := decodeAddr(tt.payload); err != nil || index != 3 || got != tt.want {
			t.Errorf("%s: got %+v of #%d, %v; want %+v", tt.what, got, index, err, tt.want)
		}
	}
	for _, bad := range [][]byte{nil, message(unix.AF_INET, 24), message(unix.AF_INET, 24, nla(unix.IFA_LOCAL, 1, 2))} {
		if got, _, err := decodeAddr(bad); err == nil {
			t.Errorf("%x: got %+v, want an error", bad, got)
		}
	}
}

// This host has a loopback at least, whoever asks.
func TestReadOwnNamespace(t *testing.T) {
	s, _, err := Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lo := s.Namespaces[0].Netdev("lo")
	if lo == nil || lo.Link != netstate.Loopback {
		t.Fatalf("no loopback in %+v", s.Namespaces[0])
	}
}

func TestInComesBack(t *testing.T) {
	places, _, err := Places()
	if err != nil {
		t.Fatal(err)
	}
	inside := uint64(0)
	err = places[0].In(func() error {
		var st unix.Stat_t
		err := unix.Stat(ownPath, &st)
		inside = st.Ino
		return err
	})
	if err != nil && unix.Geteuid() == 0 {
		t.Fatal(err)
	}
	if err == nil && inside != places[0].ID {
		t.Errorf("inside namespace %d, want %d", inside, places[0].ID)
	}
	gone := Place{ID: 1, Path: places[0].Path}
	if err := gone.In(func() error { return nil }); err == nil {
		t.Error("entered a namespace whose file stands for another")
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{`/run/netns/a\040b`: "/run/netns/a b", `\134`: `\`, `a\`: `a\`, `\9`: `\9`, "": ""} {
		if got := unescape(text); got != want {
			t.Errorf("unescape(%q) = %q, want %q", text, got, want)
		}
	}
}
