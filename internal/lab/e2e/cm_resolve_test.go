package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/lab"
)

// resolveTopology has four HCAs on two wires. What one end has, the other has too, but for the last number of its addresses.
func resolveTopology(t *testing.T) {
	t.Helper()
	lab.Topology{
		Namespaces: []string{"peer"},
		Links: []lab.Link{
			{Name: "va", Kind: lab.Veth{Peer: "vb"}, MTU: 9000, Addrs: []string{"10.2.1.1/24", "10.2.1.3/24", "2001:db8:1::1/64"}},
			{Name: "vb", Kind: lab.PeerOf{Veth: "va"}, Netns: "peer", MTU: 9000, Addrs: []string{"10.2.1.2/24", "2001:db8:1::2/64"}},
			{Name: "vc", Kind: lab.Veth{Peer: "vd"}, Addrs: []string{"10.2.2.1/24"}},
			{Name: "vd", Kind: lab.PeerOf{Veth: "vc"}, Netns: "peer", Addrs: []string{"10.2.2.2/24"}},
			{Name: "va.7", Kind: lab.VLAN{Parent: "va", ID: 7}, Addrs: []string{"10.2.7.1/24"}},
			{Name: "vb.7", Kind: lab.VLAN{Parent: "vb", ID: 7}, Netns: "peer", Addrs: []string{"10.2.7.2/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxea", Netdev: "va"}, {Name: "rxec", Netdev: "vc"}},
	}.Up(t)
	run(t, "ip", "route", "add", "10.3.0.0/16", "via", "10.2.2.2", "hoplimit", "9")
}

// TestCMResolve: what ibctl says of the way to an address is what the kernel's tables say.
func TestCMResolve(t *testing.T) {
	resolveTopology(t)
	local := linkLocal(t, "va")
	for _, tt := range []struct {
		to, from string
		want     map[string]any
	}{
		{"10.2.1.2", "", map[string]any{"device": "rxea", "src_addr": "10.2.1.1", "netdev": "va", "path_mtu": 4096, "hop_limit": 64, "route": "10.2.1.0/24 dev va table main", "rule": "32766: from all lookup main"}},
		{"10.2.1.2", "10.2.1.3", map[string]any{"device": "rxea", "src_addr": "10.2.1.3", "netdev": "va"}},
		{"10.2.2.2", "", map[string]any{"device": "rxec", "src_addr": "10.2.2.1", "netdev": "vc", "path_mtu": 1024}},
		{"10.2.7.2", "", map[string]any{"device": "rxea", "src_addr": "10.2.7.1", "netdev": "va.7", "path_mtu": 4096}},
		{"2001:db8:1::2", "", map[string]any{"device": "rxea", "src_addr": "2001:db8:1::1", "netdev": "va"}},
		{peerLinkLocal(t, "vb") + "%va", "", map[string]any{"device": "rxea", "src_addr": local + "%va", "netdev": "va"}},
		{"10.3.9.9", "", map[string]any{"device": "rxec", "src_addr": "10.2.2.1", "gateway": "10.2.2.2", "hop_limit": 9, "route": "10.3.0.0/16 via 10.2.2.2 dev vc table main"}},
		{"10.2.1.1", "", map[string]any{"device": "rxea", "src_addr": "10.2.1.1", "route": "local 10.2.1.1 dev lo table local", "rule": "0: from all lookup local"}},
	} {
		args := []string{"cm", "resolve", tt.to}
		if tt.from != "" {
			args = append(args, "--from", tt.from)
		}
		r := ibctlItems(t, "", args...)[0]
		for key, want := range tt.want {
			if fmt.Sprint(r[key]) != fmt.Sprint(want) {
				t.Errorf("%q: %s is %v, want %v", args, key, r[key], want)
			}
		}
		checkSourceGID(t, r)
	}
}

// checkSourceGID holds the index that was worked out against the table.
func checkSourceGID(t *testing.T, r object) {
	t.Helper()
	dir := filepath.Join("/sys/class/infiniband", r["device"].(string), "ports/1")
	index := fmt.Sprint(r["gid_index"])
	gid, err := os.ReadFile(filepath.Join(dir, "gids", index))
	if err != nil {
		t.Errorf("%v: %v", r["dst_addr"], err)
		return
	}
	source, _ := netip.ParseAddr(r["src_addr"].(string))
	if want := rdma.GIDFromAddr(source.WithZone("")).String(); strings.TrimSpace(string(gid)) != want || r["sgid"] != want {
		t.Errorf("%v: slot %s has %s; ibctl says %v, want %s", r["dst_addr"], index, gid, r["sgid"], want)
	}
}

// linkLocal returns the link-local address of a netdev, without the zone.
func linkLocal(t *testing.T, netdev string) string {
	t.Helper()
	link, err := net.InterfaceByName(netdev)
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := link.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; ip.IsLinkLocalUnicast() && ip.To4() == nil {
			return ip.String()
		}
	}
	t.Fatalf("%s has no link-local address", netdev)
	return ""
}

func peerLinkLocal(t *testing.T, netdev string) string {
	t.Helper()
	var links []ipLink
	decode(t, run(t, "ip", "-n", "peer", "-6", "-j", "addr", "show", "dev", netdev, "scope", "link"), &links)
	for _, l := range links {
		for _, a := range l.AddrInfos {
			if a.Local != "" { // ip leaves an empty object for each address that it does not show
				return a.Local
			}
		}
	}
	t.Fatalf("%s has no link-local address", netdev)
	return ""
}

// TestCMResolveAgreesWithTheKernelsQP: the kernel, asked for the attributes of a QP of that very connection, names the same port, GID
// index, destination, hop limit, traffic class and MTU.
func TestCMResolveAgreesWithTheKernelsQP(t *testing.T) {
	oneNamespace(t)
	run(t, "ip", "link", "add", "link", "va", "name", "va.7", "type", "vlan", "id", "7")
	run(t, "ip", "addr", "add", "10.1.7.1/24", "dev", "va.7") // more entries before and behind
	run(t, "ip", "addr", "add", "10.1.1.9/24", "dev", "va")
	addRule(t, netlink.Rule{Priority: 12, IifName: "va", Dst: prefix("10.1.1.9/32"), Table: unix.RT_TABLE_LOCAL})
	addRule(t, netlink.Rule{Priority: 22, Src: prefix("10.1.1.9/32"), Dst: prefix(hostB + "/32"), Table: 100})
	addRule(t, netlink.Rule{Priority: 23, Src: prefix(hostB + "/32"), Dst: prefix("10.1.1.9/32"), Table: 200})
	ibctlItems(t, "", "cm", "tos", "rxea", "106")
	const port = 7300
	for _, source := range []string{hostA, "10.1.1.9"} {
		server := rpingServer(t, hostB, fmt.Sprint(port))
		r := ibctlItems(t, "", "cm", "resolve", hostB, "--from", source)[0]
		want := askKernel(t, netip.AddrPortFrom(netip.MustParseAddr(source), 0), netip.AddrPortFrom(netip.MustParseAddr(hostB), port))
		server.stop(syscall.SIGKILL)
		got := fmt.Sprintln(r["port"], r["gid_index"], r["hop_limit"], r["traffic_class"], r["path_mtu"], r["dgid"])
		if want := fmt.Sprintln(want.port, want.sgidIndex, want.hopLimit, want.trafficClass, want.mtu, want.dgid); got != want {
			t.Errorf("ibctl says %s, the kernel %s", got, want)
		}
	}
}

// TestCMResolveAgreesWithRping: rping's connection is where ibctl said that it would be.
func TestCMResolveAgreesWithRping(t *testing.T) {
	oneNamespace(t)
	rpingServer(t, hostB, "7174")
	r := ibctlItems(t, "", "cm", "resolve", hostB, "--from", hostA)[0]
	client := startProgram(t, "rping", "-c", "-I", hostA, "-a", hostB, "-p", "7174")
	var id object
	waitFor(t, "rping to connect", func() bool {
		for _, candidate := range rdmaObjects(t, "", "res", "show", "cm_id") {
			if candidate["state"] == "CONNECT" && fmt.Sprint(candidate["pid"]) == fmt.Sprint(client.cmd.Process.Pid) {
				id = candidate
			}
		}
		return id != nil
	})
	source, _, _ := strings.Cut(id["src-addr"].(string), ":")
	if id["ifname"] != r["device"] || fmt.Sprint(id["port"]) != fmt.Sprint(r["port"]) || fmt.Sprint(id["ifindex"]) != fmt.Sprint(r["index"]) || source != r["src_addr"] {
		t.Errorf("ibctl says %v, rping uses %v", r, id)
	}
}

// TestCMResolveRefusals: each way not to get there has its exit code and the kernel's words.
func TestCMResolveRefusals(t *testing.T) {
	onOneKernel(t)
	oneNamespace(t)
	run(t, "ip", "link", "add", "nordma", "type", "dummy")
	run(t, "ip", "addr", "add", "10.4.0.1/24", "dev", "nordma")
	run(t, "ip", "link", "set", "nordma", "up")
	for _, tt := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"192.0.2.1"}, 1, "network is unreachable"},
		{[]string{"10.4.0.2"}, 66, "no RDMA device"},
		{[]string{hostB, "--from", "10.4.0.1"}, 66, "no RDMA device"},
		{[]string{"10.1.1.77", "--from", hostA, "--timeout", "15s"}, 75, "no answer from the neighbour"},
		{[]string{"127.0.0.1"}, 64, "not the address of a host"},
		{[]string{"224.0.0.1"}, 64, "not the address of a host"},
		{[]string{"fe80::1"}, 64, "say on which interface"},
		{[]string{"fe80::1%nowhere"}, 64, "no network interface"},
		{[]string{hostB, "--tos", "256"}, 64, "type of service"},
		{nil, 64, "address of a host"},
	} {
		r := ibctl(t, "", append([]string{"cm", "resolve"}, tt.args...)...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.text) {
			t.Errorf("cm resolve %q: exit code %d, want %d with %q:\n%s", tt.args, r.code, tt.code, tt.text, r.stderr)
		}
	}
}
