package gidrules

import (
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/netstate"
)

// expected writes an expectation as "eth0: 10.0.0.1", a default GID as "eth0: *".
func expected(e Expectation) []string {
	var all []string
	for _, s := range e.Defaults {
		all = append(all, s.Netdev.Name+": *")
	}
	for _, s := range e.Addresses {
		all = append(all, s.Netdev.Name+": "+s.GID.Addr().String())
	}
	slices.Sort(all)
	return all
}

const (
	eth0 = "eth0 02:00:00:00:00:01 10.0.0.1/24 fe80::ff:fe00:1/64"
	eth1 = "eth1 02:00:00:00:00:02"
)

func TestExpect(t *testing.T) {
	bonded := func(mode string) []string {
		return []string{"a 02:00:00:00:00:01 master=b", "c 02:00:00:00:00:02 master=b", "b bond:" + mode + " 02:00:00:00:00:01 10.0.0.1/24", "v vlan on=b 10.0.5.1/24",
			"br bridge 10.0.6.1/24", "bv vlan on=b master=br"}
	}
	tests := []struct {
		what string
		port string
		want string
		host []string
	}{
		{"a netdev", "eth0", "eth0: *, eth0: 10.0.0.1, eth0: fe80::ff:fe00:1", []string{eth0, eth1}},
		{"down changes nothing", "eth0", "eth0: *, eth0: 10.0.0.1", []string{"eth0 02:00:00:00:00:01 10.0.0.1/24 down"}},
		{"a peer's address for IPv4, one's own for IPv6", "eth0", "eth0: *, eth0: 10.0.0.2, eth0: 2001:db8::1",
			[]string{"eth0 02:00:00:00:00:01 10.0.0.1-10.0.0.2/32 2001:db8::1-2001:db8::2/128"}},
		{"one GID for one address with two prefix lengths", "eth0", "eth0: *, eth0: 10.0.0.1", []string{"eth0 02:00:00:00:00:01 10.0.0.1/24 10.0.0.1/25"}},
		{"VLAN, QinQ and macvlan", "eth0", "eth0: *, m: 10.0.3.1, q: 10.0.2.1, v: 10.0.1.1",
			[]string{"eth0 02:00:00:00:00:01", "v vlan on=eth0 10.0.1.1/24", "q vlan on=v 10.0.2.1/24", "m macvlan on=eth0 10.0.3.1/24"}},
		{"in another namespace", "eth0", "eth0: *, v: 10.0.1.1", []string{"eth0 02:00:00:00:00:01", "v vlan on=eth0 ns=blue 10.0.1.1/24"}},
		{"bridge, VRF and team", "eth0", "eth0: *, br: 10.0.1.1, vrf: 10.0.2.1",
			[]string{"eth0 02:00:00:00:00:01 master=br", "br bridge master=vrf 10.0.1.1/24", "vrf vrf 10.0.2.1/24"}},
		{"not of a bridge's other port", "eth0", "eth0: *", []string{"eth0 02:00:00:00:00:01 master=br", "br bridge", "x 10.0.0.9/24 master=br"}},
		{"an HSR device lies on two", "eth1", "eth1: *, h: 10.0.4.1", []string{eth0, eth1, "h hsr on=eth0 on2=eth1 10.0.4.1/24"}},
		{"active slave", "a", "b: *, b: 10.0.0.1, br: 10.0.6.1, v: 10.0.5.1", append(bonded("active-backup")[:2], append([]string{"b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24"}, bonded("")[3:]...)...)},
		// The bridge on a VLAN of the bond is no VLAN of a bond: the active slave is not asked for.
		{"inactive slave", "c", "b: *, br: 10.0.6.1", append(bonded("active-backup")[:2], append([]string{"b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24"}, bonded("")[3:]...)...)},
		{"a bond without an active slave", "c", "b: *, b: 10.0.0.1, br: 10.0.6.1, v: 10.0.5.1", bonded("802.3ad")},
		{"a VLAN of a slave counts although the slave is inactive", "c", "b: *, x: 10.0.7.1",
			[]string{"a master=b", "c master=b", "b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24", "x vlan on=c 10.0.7.1/24"}},
		{"a macvlan on a bond passes by the active slave", "c", "b: *, m: 10.0.8.1",
			[]string{"a master=b", "c master=b", "b bond:active-backup active=a 02:00:00:00:00:01", "m macvlan on=b 10.0.8.1/24"}},
		{"the port on the bond itself", "b", "b: *, b: 10.0.0.1", []string{"a master=b", "b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24"}},
		{"a bond in a bond: two may have the slot", "a", "b: *, d: *, b: 10.0.0.1",
			[]string{"a master=b", "b bond:active-backup active=a master=d 02:00:00:00:00:01 10.0.0.1/24", "d bond:active-backup active=b 02:00:00:00:00:03 10.0.1.1/24"}},
		{"a port on a VLAN has not even the VLAN's own", "v", "v: *", []string{eth0, "v vlan on=eth0 02:00:00:00:00:01 10.0.1.1/24"}},
		{"no MAC, no default GID", "tun0", "tun0: 10.0.0.1", []string{"tun0 tun 10.0.0.1/24"}},
	}
	for _, tt := range tests {
		w := NewWorld(build(t, tt.host...))
		want := strings.Split(tt.want, ", ")
		slices.Sort(want)
		if got := expected(w.Expect(ref(t, w, tt.port))); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", tt.what, got, want)
		}
	}
}

func TestExpectOfAnUnseenNetdev(t *testing.T) {
	w := NewWorld(build(t, eth0))
	for _, r := range []netstate.Ref{{}, {Netns: 9, Index: 1}} {
		if e := w.Expect(r); e.Netdev != nil || len(e.Defaults)+len(e.Addresses) > 0 {
			t.Errorf("%+v: %+v", r, e)
		}
	}
}

func TestChain(t *testing.T) {
	w := NewWorld(build(t, "a master=b", "b bond:802.3ad 02:00:00:00:00:01", "v vlan on=b master=br", "br bridge 10.0.0.1/24"))
	s := w.Expect(ref(t, w, "a")).Addresses[0]
	if got := arrows(s.Chain); got != "a < b < v < br" {
		t.Errorf("chain %s", got)
	}
}

func TestDefaultGID(t *testing.T) {
	mac, err := netstate.ParseMAC("02:00:00:12:34:56")
	if err != nil {
		t.Fatal(err)
	}
	if got := DefaultGID(mac); got != gid("fe80::ff:fe12:3456") {
		t.Errorf("got %v", got)
	}
	if back, ok := MACOf(gid("fe80::ff:fe12:3456")); !ok || back != mac {
		t.Errorf("got %v, %v", back, ok)
	}
	for _, other := range []string{"fe80::1", "2001:db8::ff:fe12:3456", "::ffff:10.0.0.1"} {
		if mac, ok := MACOf(gid(other)); ok {
			t.Errorf("%s came of %v", other, mac)
		}
	}
}

// A recorded snapshot may say what no kernel does.
func TestNetdevsInARing(t *testing.T) {
	w := NewWorld(build(t, "a vlan on=c 02:00:00:00:00:01 10.0.0.1/24", "c vlan on=a 10.0.1.1/24", "d master=e 10.0.2.1/24", "e bridge master=d 02:00:00:00:00:02"))
	for _, name := range []string{"a", "d"} {
		e := w.Expect(ref(t, w, name))
		w.Judge(port(8, nil), e)
		w.Explain(port(8, nil), e, Question{GID: gid("10.0.1.1")}, nil)
		w.Across([]Carrier{{"x/1", e}}, func(int) bool { return true })
	}
}

// The kernel makes a link-local address and a default GID in the same way. Where several
// netdevs have one MAC, an id is in the middle of both.
func TestDeviceID(t *testing.T) {
	const mac = "i 02:00:00:00:00:01 ipvlan"
	withID, other, without := "fe80::200:0:200:1", "fe80::200:0:300:1", "fe80::ff:fe00:1"
	tests := []struct {
		what, host, slot string
		want             []string
	}{
		{"as in the address", mac + " " + withID + "/64", withID, nil},
		{"no address shows it", mac, withID, nil},
		{"none", mac + " " + without + "/64", without, nil},
		{"another MAC", mac, "fe80::200:0:200:9", []string{"wrong_mac fe80::200:0:200:9 of i: mac_changed"}},
		{"by hand", mac + " " + other + "/64", other, nil},
	}
	for _, tt := range tests {
		w := NewWorld(build(t, tt.host))
		e := w.Expect(ref(t, w, "i"))
		table := tamper(t, nil, "+0 "+tt.slot+" i")
		if got := briefs(w.Judge(port(1024, table), e)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: found %q, want %q", tt.what, got, tt.want)
		}
		x := w.Explain(port(1024, table), e, Question{GID: gid(tt.slot)}, nil)
		if wrong := len(tt.want) > 0; wrong != (x.Verdict == PresentStale) {
			t.Errorf("%s: explained as %+v", tt.what, x)
		}
	}
}
