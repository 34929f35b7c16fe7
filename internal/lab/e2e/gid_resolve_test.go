package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/lab"
)

// gidSituations has the two hosts of oneNamespace and, beside them, what makes a choice of GIDs: more addresses, subnets, VLANs and HCAs.
func gidSituations(t *testing.T) {
	t.Helper()
	oneNamespace(t)
	lab.Topology{
		Links: []lab.Link{
			{Name: "va.7", Kind: lab.VLAN{Parent: "va", ID: 7}, Addrs: []string{"10.1.7.1/24", "2001:db8:7::1/64"}},
			{Name: "vc", Kind: lab.Veth{Peer: "vd"}, MTU: 9000, Addrs: []string{"10.2.2.1/24", "2001:db8:2::1/64"}},
			{Name: "vd", Kind: lab.PeerOf{Veth: "vc"}, Addrs: []string{"10.2.2.2/24"}},
			{Name: "vd.9", Kind: lab.VLAN{Parent: "vd", ID: 9}, Addrs: []string{"10.1.1.65/26"}},
		},
		HCAs: []lab.HCA{{Name: "rxec", Netdev: "vc"}, {Name: "rxed", Netdev: "vd"}},
	}.Up(t)
	for _, addr := range []string{"10.1.1.9/24", "10.3.3.1/24", "2001:db8:1::1/64"} {
		run(t, "ip", "addr", "add", addr, "dev", "va", "nodad")
	}
	second := prefix("10.1.1.9/32")
	addRule(t, netlink.Rule{Priority: 12, IifName: "va", Dst: second, Table: unix.RT_TABLE_LOCAL})
	addRule(t, netlink.Rule{Priority: 22, Src: second, Dst: prefix(hostB + "/32"), Table: 100})
	addRule(t, netlink.Rule{Priority: 23, Src: prefix(hostB + "/32"), Dst: second, Table: 200})
	// Without a source, the route says which.
	run(t, "ip", "route", "add", hostB, "dev", "va", "src", "10.1.1.9", "table", "300")
	addRule(t, netlink.Rule{Priority: 30, Dst: prefix(hostB + "/32"), Table: 300})
	t.Cleanup(func() { run(t, "ip", "route", "flush", "table", "300") })
}

// TestGIDResolveAgreesWithRping: the GID that ibctl names is on the device and the port where rping's connection is, has its source address, and
// the kernel puts its index into a QP of that very connection.
func TestGIDResolveAgreesWithRping(t *testing.T) {
	onOldestAndNewest(t)
	gidSituations(t)
	local := linkLocal(t, "va") + "%va"
	for i, tt := range []struct {
		to, from, device, netdev string
		qp                       bool // ask the kernel for the index, too
	}{
		{to: hostB, from: hostA, device: "rxea", netdev: "va"},
		{to: hostB, from: "10.1.1.9", device: "rxea", netdev: "va", qp: true}, // another rule
		{to: hostB, device: "rxea", netdev: "va", qp: true},                   // the route names the source
		{to: hostA, from: hostB, device: "rxeb", netdev: "vb"},
		{to: hostA, device: "rxea", netdev: "va"}, // its own
		{to: "10.3.3.1", device: "rxea", netdev: "va"},
		{to: "10.1.7.1", device: "rxea", netdev: "va.7", qp: true},
		{to: "2001:db8:7::1", device: "rxea", netdev: "va.7", qp: true},
		{to: local, device: "rxea", netdev: "va", qp: true}, // va.7 has it, too
		{to: "10.2.2.1", device: "rxec", netdev: "vc"},
		{to: "10.2.2.2", device: "rxed", netdev: "vd"}, // one subnet on two HCAs
		{to: "10.1.1.65", device: "rxed", netdev: "vd.9", qp: true},
	} {
		args := []string{"gid", "resolve", "--to", tt.to}
		if tt.from != "" {
			args = append(args, "--from", tt.from)
		}
		chosen := ibctlItems(t, "", args...)[0]["chosen"].(map[string]any)
		if chosen["device"] != tt.device || chosen["netdev"] != tt.netdev {
			t.Errorf("%q: %v, want a GID of %s on %s", args, chosen, tt.netdev, tt.device)
		}
		if tt.qp {
			checkAgainstQP(t, fmt.Sprint(7400+2*i), tt.to, tt.from, chosen)
		}
		checkAgainstRping(t, fmt.Sprint(7401+2*i), tt.to, tt.from, chosen)
	}
}

// checkAgainstQP asks the kernel what it would put into the QP.
func checkAgainstQP(t *testing.T, port, to, from string, chosen object) {
	t.Helper()
	server := rpingServer(t, to, port)
	defer server.stop(syscall.SIGKILL)
	var source netip.AddrPort
	if from != "" {
		source = netip.AddrPortFrom(netip.MustParseAddr(from), 0)
	}
	var number uint16
	fmt.Sscan(port, &number)
	want := askKernel(t, source, netip.AddrPortFrom(scoped(t, to), number))
	got := fmt.Sprintln(chosen["port"], chosen["index"], chosen["path_mtu"])
	if want := fmt.Sprintln(want.port, want.sgidIndex, want.mtu); got != want {
		t.Errorf("to %s from %q: ibctl says port, index and MTU %s, the kernel %s", to, from, got, want)
	}
}

// scoped is an address as the kernel takes it: with the interface's index.
func scoped(t *testing.T, text string) netip.Addr {
	t.Helper()
	ip := netip.MustParseAddr(text)
	if ip.Zone() == "" {
		return ip
	}
	link, err := netlink.LinkByName(ip.Zone())
	if err != nil {
		t.Fatal(err)
	}
	return ip.WithZone(fmt.Sprint(link.Attrs().Index))
}

// checkAgainstRping looks where rping's connection is.
func checkAgainstRping(t *testing.T, port, to, from string, chosen object) {
	t.Helper()
	server := rpingServer(t, to, port)
	defer server.stop(syscall.SIGKILL)
	args := []string{"-c", "-a", to, "-p", port}
	if from != "" {
		args = append(args, "-I", from)
	}
	client := startProgram(t, "rping", args...)
	defer client.stop(syscall.SIGKILL)
	var id object
	waitFor(t, "rping to connect to "+to, func() bool {
		for _, candidate := range rdmaObjects(t, "", "res", "show", "cm_id") {
			if candidate["state"] == "CONNECT" && fmt.Sprint(candidate["pid"]) == fmt.Sprint(client.cmd.Process.Pid) {
				id = candidate
			}
		}
		return id != nil
	})
	source := id["src-addr"].(string)
	source = strings.Trim(source[:strings.LastIndexByte(source, ':')], "[]")
	ip, _, _ := strings.Cut(source, "%")
	if id["ifname"] != chosen["device"] || fmt.Sprint(id["port"]) != fmt.Sprint(chosen["port"]) || gidText(ip) != chosen["gid"] {
		t.Errorf("to %s from %q: ibctl says %v, rping uses %v", to, from, chosen, id)
	}
}

// TestGIDResolveFailsClosed: where nothing fits, there is no guess, and each GID has a reason.
func TestGIDResolveFailsClosed(t *testing.T) {
	onOneKernel(t)
	lab.Topology{
		Links: []lab.Link{
			{Name: "va", Kind: lab.Veth{Peer: "vb"}, Addrs: []string{"10.2.1.1/24"}},
			{Name: "vb", Kind: lab.PeerOf{Veth: "va"}},
			{Name: "nordma", Kind: lab.Dummy{}, Addrs: []string{"10.4.0.1/24"}},
			{Name: "off", Kind: lab.Dummy{}, Addrs: []string{"10.6.0.1/24"}, Down: true},
		},
		HCAs: []lab.HCA{{Name: "rxea", Netdev: "va"}, {Name: "rxeo", Netdev: "off"}},
	}.Up(t)
	for _, tt := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"--to", "192.0.2.1"}, 66, "network is unreachable"},
		{[]string{"--to", "10.4.0.2"}, 66, "the route to 10.4.0.2 leads over nordma, where no attached port has 10.4.0.1"},
		{[]string{"--from", "10.2.1.9"}, 66, "not an address of this host"},
		{[]string{"--from", "10.4.0.1"}, 66, "no GID fits"},
		{[]string{"--netdev", "nordma"}, 66, "none of the GIDs fits"},
		{[]string{"--device", "rxeo"}, 66, "the port is DOWN"},
		{[]string{"--device", "rxea", "--type", "v1"}, 66, "its type is RoCE v2, not IB/RoCE v1"},
		{[]string{"--device", "nosuch"}, 66, "nosuch"},
		{[]string{"--to", "10.2.1.2", "--device", "rxeo"}, 66, "no GID fits"},
		{[]string{"--device", "rxea,rxeo", "--for", "nccl"}, 66, "the port is DOWN"},
		{[]string{"--to", "127.0.0.1"}, 64, "not the address of a host"},
		{[]string{"--to", "fe80::1"}, 64, "say on which interface"},
		{nil, 64, "--to, --from, --netdev or --device"},
	} {
		r := ibctl(t, "", append([]string{"gid", "resolve"}, tt.args...)...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.text) || strings.Contains(r.stdout, "GID_INDEX") {
			t.Errorf("gid resolve %q: exit code %d, want %d with %q:\n%s%s", tt.args, r.code, tt.code, tt.text, r.stdout, r.stderr)
		}
	}
	serve(t, "")
	items := ibctlItems(t, "", "gid", "resolve", "--to", "10.2.1.2") // as it is answered by ibctl serve
	if chosen, ok := items[0]["chosen"].(map[string]any); !ok || chosen["gid"] != gidText("10.2.1.1") {
		t.Errorf("ibctl serve says %v", items[0])
	}
}

// gidText is the GID of an address, as ibctl and sysfs write it.
func gidText(ip string) string { return rdma.GIDFromAddr(netip.MustParseAddr(ip)).String() }
