package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// explainTopology is the demo's, with what else a GID can be asked about.
func explainTopology() lab.Topology {
	tp := lab.Demo()
	tp.Links = append(tp.Links,
		lab.Link{Name: "eth0.7", Kind: lab.VLAN{Parent: "eth0", ID: 7}, Netns: "blue", Addrs: []string{"10.7.0.1/24"}},
		lab.Link{Name: "mv0", Kind: lab.Macvlan{Parent: "bond0"}, Addrs: []string{"10.0.9.1/24"}},
		lab.Link{Name: "mv1", Kind: lab.Macvlan{Parent: "eth3"}, MAC: "02:00:00:00:00:0d", Down: true},
		lab.Link{Name: "eth4", Kind: lab.Dummy{}, MAC: "02:00:00:00:00:0e", Addrs: []string{"10.0.5.1/24"}},
		lab.Link{Name: "eth5", Kind: lab.Dummy{}, Down: true, Addrs: []string{"10.0.6.1 peer 10.0.6.2/32"}},
	)
	tp.HCAs = append(tp.HCAs, lab.HCA{Name: "rxe5", Netdev: "eth5"})
	return tp
}

// explained is what is tested of an explanation.
type explained struct {
	Verdict, Reason, Netdev string
	Chain, Text, Elsewhere  []string
	Slots                   []struct{ Index int }
}

func explain(t *testing.T, args ...string) explained {
	t.Helper()
	r := ibctl(t, "", append([]string{"gid", "explain", "-o", "json"}, args...)...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("explain %q: exit code %d, %s", args, r.code, r.stderr)
	}
	var doc struct{ Items []explained }
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || len(doc.Items) != 1 {
		t.Fatalf("explain %q: %v\n%s", args, err, r.stdout)
	}
	return doc.Items[0]
}

// TestGIDExplain asks why in situations whose cause is known.
func TestGIDExplain(t *testing.T) {
	onOldestAndNewest(t)
	explainTopology().Up(t)
	linkLocal := func(netdev string) string {
		mac, err := os.ReadFile(filepath.Join("/sys/class/net", netdev, "address"))
		if err != nil {
			t.Fatal(err)
		}
		var m [6]byte
		if _, err := fmt.Sscanf(string(mac), "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("fe80::%02x%02x:%02xff:fe%02x:%02x%02x", m[0]^2, m[1], m[2], m[3], m[4], m[5])
	}
	for _, tt := range []struct {
		args                      string
		verdict, reason, netdev   string
		chain, elsewhere, mention string
	}{
		{"rxe0 192.0.2.10", "present", "address", "eth0", "eth0", "", "eth0 has the address 192.0.2.10/24"},
		{"rxe0/1/0", "present", "default_gid", "eth0", "eth0", "", "the default GID of the MAC"},
		{"rxe0 198.51.100.10", "present", "address", "eth0.100", "eth0 eth0.100", "", "is a VLAN of eth0"},
		{"rxe0 10.7.0.1", "present", "address", "eth0.7 in network namespace blue", "eth0 | eth0.7 in network namespace blue", "", ""},
		{"rxe0 10.0.4.2", "absent", "other_namespace", "veth1 in network namespace blue", "veth1 in network namespace blue", "rxe4/1", ""},
		{"rxe0 10.0.3.10", "absent", "other_netdev", "eth3", "eth3", "rxe3/1", ""},
		{"rxe0 10.0.5.1", "absent", "other_netdev", "eth4", "eth4", "", ""},
		{"rxe0 198.18.0.1", "absent", "no_such_address", "", "", "", "no network interface has the address"},
		{"rxe0 fe80::ff:fe00:77", "absent", "no_such_mac", "", "", "", "a MAC that changed takes its default GID with it"},
		{"rxe0 fe80::ff:fe00:e", "absent", "other_netdev", "eth4", "eth4", "", ""},
		{"rxe0 900", "empty_slot", "not_in_use", "", "", "", ""},
		{"rxe1 203.0.113.10", "present", "address", "bond0", "eth1 bond0", "", "has eth1 as its active slave"},
		{"rxe2 203.0.113.10", "absent", "inactive_slave", "bond0", "eth2 bond0", "rxe1/1", "the active slave is eth1"},
		{"rxe2 10.0.200.10", "absent", "inactive_slave", "bond0.200", "eth2 bond0 bond0.200", "rxe1/1", ""},
		{"rxe2 10.0.9.1", "present", "address", "mv0", "eth2 bond0 mv0", "rxe1/1", ""},
		{"rxe2 " + linkLocal("bond0"), "present", "default_gid", "bond0", "eth2 bond0", "rxe1/1", "whether it is the active slave or not"},
		{"rxe3 10.0.3.11", "present", "address", "macvlan0", "eth3 macvlan0", "", ""},
		{"rxe3 fe80::ff:fe00:d", "absent", "no_link_local", "mv1", "eth3 mv1", "", ""},
		{"rxe4 10.0.4.2", "present", "address", "veth1 in network namespace blue", "veth1 in network namespace blue", "", ""},
		{"rxe5 10.0.6.1", "absent", "peer_address", "eth5", "eth5", "", "10.0.6.2"},
		{"rxe5 10.0.6.2", "present", "address", "eth5", "eth5", "", "is down, which is not the reason"},
	} {
		x := explain(t, strings.Fields(tt.args)...)
		chain := strings.Fields(tt.chain)
		if strings.Contains(tt.chain, "in network") {
			chain = strings.Split(tt.chain, " | ")
		}
		if x.Verdict != tt.verdict || x.Reason != tt.reason || x.Netdev != tt.netdev || !slices.Equal(x.Chain, chain) ||
			!slices.Equal(x.Elsewhere, strings.Fields(tt.elsewhere)) || !strings.Contains(strings.Join(x.Text, "\n"), tt.mention) {
			t.Errorf("explain %s: got %+v\nwant %+v", tt.args, x, tt)
		}
	}
	checkAudit(t)
}

// checkAudit audits the same from two namespaces: all is as it should be, but that
// the macvlan on the bond has its address on both slaves.
func checkAudit(t *testing.T) {
	t.Helper()
	for _, netns := range []string{"", "blue"} {
		r := ibctl(t, netns, "gid", "audit")
		if r.code != 1 || r.stderr != "" || strings.Count(r.stdout, " ok ") != 5 || !strings.Contains(r.stdout, "warning: ambiguous 10.0.9.1 of mv0") {
			t.Errorf("audit in %q: exit code %d, %s\n%s", netns, r.code, r.stderr, r.stdout)
		}
		if r := ibctl(t, netns, "gid", "audit", "rxe0", "rxe3/1"); r.code != 0 {
			t.Errorf("audit of sound ports in %q: exit code %d, %s\n%s", netns, r.code, r.stderr, r.stdout)
		}
	}
}
