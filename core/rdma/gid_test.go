package rdma

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

func TestParseGID(t *testing.T) {
	// The text is sysfs's, so it also says what String returns.
	tests := map[string]string{
		"fe80:0000:0000:0000:5054:00ff:fe12:3456": "fe80:0000:0000:0000:5054:00ff:fe12:3456",
		"fe80::5054:ff:fe12:3456":                 "fe80:0000:0000:0000:5054:00ff:fe12:3456",
		"FE80::5054:FF:FE12:3456":                 "fe80:0000:0000:0000:5054:00ff:fe12:3456",
		"::ffff:10.0.0.1":                         "0000:0000:0000:0000:0000:ffff:0a00:0001",
		"0000:0000:0000:0000:0000:ffff:0a00:0001": "0000:0000:0000:0000:0000:ffff:0a00:0001",
		"::":          "0000:0000:0000:0000:0000:0000:0000:0000",
		"2001:db8::1": "2001:0db8:0000:0000:0000:0000:0000:0001",
	}
	for text, want := range tests {
		if g, err := ParseGID(text); err != nil || g.String() != want {
			t.Errorf("%q: got %v, %v, want %s", text, g, err, want)
		}
	}
}

func TestParseGIDRefuses(t *testing.T) {
	tests := []string{"", "10.0.0.1", "fe80::1%eth0", "fe80", "fe80::1/64", "fe80::1::2", "[fe80::1]", " fe80::1", "fe80::1\n", "mlx5_0"}
	for _, text := range tests {
		if g, err := ParseGID(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, g)
		}
	}
}

func TestGIDParts(t *testing.T) {
	tests := []struct {
		gid       string
		ipv4      string // empty: none
		addr      string
		prefix    uint64
		iface     GUID
		linkLocal bool
		zero      bool
	}{
		{gid: "fe80::248a:703:a5:29d0", addr: "fe80::248a:703:a5:29d0", prefix: 0xfe80 << 48, iface: someGUID, linkLocal: true},
		{gid: "::ffff:192.0.2.7", ipv4: "192.0.2.7", addr: "192.0.2.7", iface: 0xffffc0000207},
		{gid: "2001:db8:1:2::9", addr: "2001:db8:1:2::9", prefix: 0x20010db800010002, iface: 9},
		{gid: "fec0::1", addr: "fec0::1", prefix: 0xfec0 << 48, iface: 1}, // site-local is not link-local
		{gid: "::", addr: "::", zero: true},
	}
	for _, test := range tests {
		g, err := ParseGID(test.gid)
		if err != nil {
			t.Fatal(err)
		}
		v4, isV4 := g.IPv4()
		if isV4 != (test.ipv4 != "") || isV4 && v4.String() != test.ipv4 {
			t.Errorf("%s: IPv4 is %v, %t", test.gid, v4, isV4)
		}
		if got := g.Addr().String(); got != test.addr {
			t.Errorf("%s: address is %s", test.gid, got)
		}
		if g.SubnetPrefix() != test.prefix || g.InterfaceID() != test.iface {
			t.Errorf("%s: prefix %#x, interface %v", test.gid, g.SubnetPrefix(), g.InterfaceID())
		}
		if g.IsLinkLocal() != test.linkLocal || g.IsZero() != test.zero || (GIDEntry{GID: g}).Empty() != test.zero {
			t.Errorf("%s: link-local %t, zero %t", test.gid, g.IsLinkLocal(), g.IsZero())
		}
	}
}

func TestGIDFromAddr(t *testing.T) {
	tests := map[string]string{
		"10.1.2.3":        "0000:0000:0000:0000:0000:ffff:0a01:0203",
		"::ffff:10.1.2.3": "0000:0000:0000:0000:0000:ffff:0a01:0203",
		"2001:db8::1":     "2001:0db8:0000:0000:0000:0000:0000:0001",
		"fe80::1%eth0":    "fe80:0000:0000:0000:0000:0000:0000:0001", // the zone is not in the GID
	}
	for text, want := range tests {
		if got := GIDFromAddr(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestGIDEntryJSON(t *testing.T) {
	entry := GIDEntry{Device: "rxe0", Port: 1, Index: 3, GID: GIDFromAddr(netip.MustParseAddr("10.0.0.1")), Type: GIDTypeRoCEv2, Netdev: "eth0"}
	data, err := json.Marshal(entry)
	want := `{"device":"rxe0","port":1,"index":3,"gid":"0000:0000:0000:0000:0000:ffff:0a00:0001","type":"RoCE v2","netdev":"eth0"}`
	if err != nil || string(data) != want {
		t.Errorf("got %s, %v, want %s", data, err, want)
	}
	var back GIDEntry
	if err := json.Unmarshal(data, &back); err != nil || back != entry {
		t.Errorf("came back as %+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"gid":"10.0.0.1"}`), &back); err == nil {
		t.Error("an IPv4 address was taken for a GID")
	}
}

// Whatever is accepted is the address that it says, and survives being written.
func FuzzParseGID(f *testing.F) {
	for _, seed := range []string{
		"fe80:0000:0000:0000:5054:00ff:fe12:3456", "::ffff:10.0.0.1", "::", "fe80::1%eth0", "10.0.0.1",
		"::ffff:0a00:0001", "1:2:3:4:5:6:7.8.9.10", "2001:db8::", "fe80::1::2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGID(text)
		if err != nil {
			return
		}
		if addr := netip.MustParseAddr(text); addr.As16() != g {
			t.Errorf("%q was read as %v", text, g)
		}
		written := g.String()
		if len(written) != 39 || strings.Count(written, ":") != 7 {
			t.Errorf("%q is written as %q", text, written)
		}
		if again, err := ParseGID(written); err != nil || again != g {
			t.Errorf("%v came back as %v, %v", g, again, err)
		}
		if back := GIDFromAddr(g.Addr()); back != g {
			t.Errorf("%v by way of its address is %v", g, back)
		}
	})
}
