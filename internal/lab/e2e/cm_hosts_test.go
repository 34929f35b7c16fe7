package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
)

// patience is for what happens soon, on a machine that may be busy with other things.
const patience = 30 * time.Second

// The two ends of oneNamespace.
const (
	hostA = "10.1.1.1"
	hostB = "10.1.1.2"
)

// oneNamespace makes two hosts of one network namespace, which works on every kernel: a veth pair with an HCA on each end, and rules
// that send what goes from one to the other over the wire. Clients must say where they come from.
func oneNamespace(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"all/accept_local": "1", "all/rp_filter": "0", "all/arp_ignore": "1", "all/arp_announce": "2"} {
		setSysctl(t, "net/ipv4/conf/"+name, value, true)
	}
	lab.Topology{
		Links: []lab.Link{
			{Name: "va", Kind: lab.Veth{Peer: "vb"}, Addrs: []string{hostA + "/24"}},
			{Name: "vb", Kind: lab.PeerOf{Veth: "va"}, Addrs: []string{hostB + "/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxea", Netdev: "va"}, {Name: "rxeb", Netdev: "vb"}},
	}.Up(t)
	for _, netdev := range []string{"va", "vb"} {
		setSysctl(t, "net/ipv4/conf/"+netdev+"/accept_local", "1", false)
		setSysctl(t, "net/ipv4/conf/"+netdev+"/rp_filter", "0", false)
	}
	addRoute(t, "va", 100)
	addRoute(t, "vb", 200)
	a, b := prefix(hostA+"/32"), prefix(hostB+"/32")
	addRule(t, netlink.Rule{Priority: 10, IifName: "va", Dst: a, Table: unix.RT_TABLE_LOCAL})
	addRule(t, netlink.Rule{Priority: 11, IifName: "vb", Dst: b, Table: unix.RT_TABLE_LOCAL})
	addRule(t, netlink.Rule{Priority: 20, Src: a, Dst: b, Table: 100})
	addRule(t, netlink.Rule{Priority: 21, Src: b, Dst: a, Table: 200})
	addRule(t, netlink.Rule{Priority: 100, Table: unix.RT_TABLE_LOCAL})
	moveLocalRule(t)
}

func prefix(text string) *net.IPNet {
	_, n, err := net.ParseCIDR(text)
	if err != nil {
		panic(err)
	}
	return n
}

// addRoute puts the hosts' network into a table of its own. It goes with the netdev.
func addRoute(t *testing.T, netdev string, table int) {
	t.Helper()
	link, err := netlink.LinkByName(netdev)
	if err == nil {
		err = netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: prefix("10.1.1.0/24"), Table: table, Scope: netlink.SCOPE_LINK})
	}
	if err != nil {
		t.Fatalf("route over %s: %v", netdev, err)
	}
}

func addRule(t *testing.T, want netlink.Rule) {
	t.Helper()
	rule := netlink.NewRule()
	rule.Family, rule.Priority, rule.Table = unix.AF_INET, want.Priority, want.Table
	rule.IifName, rule.Src, rule.Dst = want.IifName, want.Src, want.Dst
	if err := netlink.RuleAdd(rule); err != nil {
		t.Fatalf("add rule %v: %v", rule, err)
	}
	t.Cleanup(func() {
		if err := netlink.RuleDel(rule); err != nil {
			t.Errorf("delete rule %v: %v", rule, err)
		}
	})
}

// moveLocalRule takes away the rule that comes before all others: addRule has put one behind those that matter.
func moveLocalRule(t *testing.T) {
	t.Helper()
	run(t, "ip", "rule", "del", "pref", "0")
	t.Cleanup(func() { run(t, "ip", "rule", "add", "pref", "0", "lookup", "local") })
}

// setSysctl sets a value, and back at the end of the test unless that goes with its netdev.
func setSysctl(t *testing.T, name, value string, restore bool) {
	t.Helper()
	file := "/proc/sys/" + name
	before, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(value), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !restore {
		return
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, before, 0o644); err != nil {
			t.Error(err)
		}
	})
}

// rpingServer starts an rping that listens, and waits until it does.
func rpingServer(t *testing.T, address, port string, args ...string) *background {
	t.Helper()
	server := startProgram(t, "rping", append([]string{"-s", "-a", address, "-p", port}, args...)...)
	waitFor(t, "rping to listen", func() bool {
		for _, id := range rdmaObjects(t, "", "res", "show", "cm_id") {
			if id["state"] == "LISTEN" && strings.HasSuffix(id["src-addr"].(string), ":"+port) {
				return true
			}
		}
		if !server.alive() {
			t.Fatalf("rping ended: %v", server.cmd.ProcessState)
		}
		return false
	})
	return server
}

// cmCounters reads the kernel's counters of a kind of message at port 1 of a device.
func cmCounters(t *testing.T, device, kind string) map[string]int {
	t.Helper()
	counters := map[string]int{}
	for _, group := range []string{"cm_tx_msgs", "cm_tx_retries", "cm_rx_msgs", "cm_rx_duplicates"} {
		text, err := os.ReadFile(filepath.Join("/sys/class/infiniband", device, "ports/1", group, kind))
		if err != nil {
			t.Fatal(err)
		}
		if counters[group], err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			t.Fatal(err)
		}
	}
	return counters
}

// ping runs ibctl cm ping, which must end with that code, and returns its replies.
func ping(t *testing.T, netns string, code int, args ...string) []object {
	t.Helper()
	if !slices.Contains(args, "-W") {
		args = append(args, "-W", "30") // the lab may pause for a second
	}
	r := ibctl(t, netns, append([]string{"cm", "ping", "-o", "jsonl"}, args...)...)
	if r.code != code {
		t.Fatalf("ibctl cm ping %q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	var replies []object
	for line := range strings.Lines(r.stdout) {
		var reply object
		decode(t, line, &reply)
		replies = append(replies, reply)
	}
	return replies
}

// wantOutcomes checks that there are n replies, all with that outcome.
func wantOutcomes(t *testing.T, replies []object, n int, outcome string) {
	t.Helper()
	if len(replies) != n {
		t.Errorf("%d replies, want %d", len(replies), n)
	}
	for _, r := range replies {
		if r["outcome"] != outcome {
			t.Errorf("reply %v, want outcome %s", r, outcome)
		}
	}
}
