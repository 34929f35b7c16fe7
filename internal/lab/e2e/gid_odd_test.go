package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// oddWorld is a host with what is rarely looked at, which the rules must know nevertheless. Lines are those of ip -batch; one that begins with
// a ! is the shell's, one that begins with a
// ? may fail, and "hca" makes devices on netdevs.
type oddWorld struct {
	what  string
	lines string
}

var oddWorlds = []oddWorld{
	{"addresses", `
link add eth0 type dummy
link add eth1 type dummy
link add eth2 type dummy
link add eth3 type dummy
link add va type veth peer vb
link set va up
hca eth0 eth1 eth2 eth3 va vb
link set eth0 up
link set eth1 up
link set eth2 up
link set eth3 up
link set vb up
address add 10.1.0.1/32 dev eth0
address add 10.1.0.3/31 dev eth0
address add 10.1.1.1/24 dev eth0 label eth0:1
address add 10.1.1.2/24 dev eth0
address add 10.1.2.1 peer 10.1.2.2/32 dev eth0
address add 10.1.2.3 peer 10.1.2.0/24 dev eth0
address add 127.0.9.1/8 dev eth0
address add 169.254.7.7/16 dev eth0 scope link
address add 2001:db8:1::1/128 dev eth0
address add 2001:db8:1::2 peer 2001:db8:1::3 dev eth0
address add 2001:db8:2::1/64 dev eth0 preferred_lft 0
address add 2001:db8:2::2/64 dev eth0 valid_lft 1000 preferred_lft 500 noprefixroute
address add fe80::7/64 dev eth0
address add 10.2.0.1/24 dev eth1
address add 10.2.0.2/24 dev eth1
address add 10.2.0.3/24 dev eth1
address del 10.2.0.1/24 dev eth1
!sysctl -qw net.ipv4.conf.eth2.promote_secondaries=1
address add 10.3.0.1/24 dev eth2
address add 10.3.0.2/24 dev eth2
address del 10.3.0.1/24 dev eth2
address add 2001:db8:3::1/64 dev eth2
link set eth2 mtu 1000
address add 10.3.1.1/24 dev eth2
link set eth3 addrgenmode none
link set eth3 down
link set eth3 up
address add 2001:db8:4::1/64 dev eth3
!sysctl -qw net.ipv6.conf.eth3.disable_ipv6=1
address add 10.4.0.1/24 dev eth3
!sysctl -qw net.ipv6.conf.va.accept_dad=1 net.ipv6.conf.va.dad_transmits=1 net.ipv6.conf.vb.accept_dad=1 net.ipv6.conf.vb.dad_transmits=1
address add 2001:db8:5::1/64 dev va nodad
address add 2001:db8:5::1/64 dev vb
link set vb addrgenmode random
link set vb down
link set vb up
address add 2001:db8:5::2/64 dev vb
`},
	{"what lies on what", `
link add eth0 type dummy
link add eth1 type dummy
link add eth2 type dummy
link add eth3 type dummy
link add eth4 type dummy
link add eth5 type dummy
link add eth6 type dummy
link add eth7 type dummy
link add bond0 type bond mode active-backup miimon 100
link set eth0 master bond0
link set eth1 master bond0
link set bond0 up
hca eth0 eth1 eth2 eth3 eth4 eth5 eth6 eth7
link set eth6 up
link set eth7 up
link set eth2 up
link set eth3 up
link set eth4 up
link set eth5 up
link add s5 link eth0 type vlan id 5
address add 10.11.5.1/24 dev s5
link add s6 link eth1 type vlan id 6
address add 10.11.6.1/24 dev s6
link add b7 link bond0 type vlan id 7
link add b78 link b7 type vlan id 8
address add 10.11.8.1/24 dev b78
link add vrf0 type vrf table 77
link add br0 type bridge vlan_filtering 1
link set br0 master vrf0
link add e9 link eth2 type vlan id 9
link set e9 master br0
link add br0.3 link br0 type vlan id 3
address add 10.12.0.1/24 dev br0
address add 10.12.3.1/24 dev br0.3
address add 10.12.9.1/24 dev e9
address add 10.12.77.1/24 dev vrf0
link add mt0 link eth3 type macvtap mode passthru
address add 10.13.0.1/24 dev mt0
link add tun0 type gretap local 10.13.0.1 remote 10.13.0.2 dev eth3
address add 10.13.1.1/24 dev tun0
link add vx0 type vxlan id 9 dstport 4789 dev eth3
address add 10.13.2.1/24 dev vx0
link add e12 link eth3 address 02:00:00:00:12:12 type vlan id 12
address add 10.13.3.1/24 dev e12
?link add team0 type team
?link set eth4 down
?link set eth4 master team0
?address add 10.14.0.1/24 dev team0
?link add sec0 link eth5 type macsec
?address add 10.14.1.1/24 dev sec0
?link add hsr0 type hsr slave1 eth6 slave2 eth7 version 1
?address add 10.15.0.1/24 dev hsr0
?link set hsr0 up
`},
	{"names, namespaces, and one MAC of many", `
link add eth0 type dummy
link add eth1 type dummy
link add eth2 type dummy
link add ipv0 link eth2 type ipvlan mode l2
link add ipv1 link eth2 type ipvlan mode l2
link set eth0 up
link set eth1 up
link set eth2 up
link set ipv0 up
hca eth0 eth1 ipv0 ipv1
link add mv0 link eth0 netns blue type macvlan mode bridge
!ip -n blue address add 10.21.0.1/24 dev mv0; ip -n blue link set mv0 up; ip -n blue link add q4 link mv0 type vlan id 4; ip -n blue address add 10.21.4.1/24 dev q4
link add v1 link eth0 type vlan id 1
address add 10.21.1.1/24 dev v1
link set v1 netns blue
!ip -n blue address add 10.21.1.2/24 dev v1; ip -n blue link set v1 up; ip -n blue address add 2001:db8:21::1/64 dev v1 nodad
link add twin link eth1 type vlan id 2
address add 10.22.2.1/24 dev twin
!ip link add tmp link eth1 type macvlan mode bridge; ip link set tmp netns blue name twin; ip -n blue address add 10.22.2.1/24 dev twin
address add 10.22.0.1/24 dev eth1
link set eth1 down
link set eth1 name lan1
link set lan1 up
!ip link property add dev lan1 altname a-rather-long-name-for-an-interface
link set lan1 alias "uplink"
address add 10.22.0.2/24 dev lan1
address add 10.23.0.1/24 dev ipv0
address add 10.23.0.2/24 dev ipv1
link set ipv1 up
`},
}

// TestGIDAuditOddities: nothing is found where nothing is wrong. In the long form, devices are made anew as well.
func TestGIDAuditOddities(t *testing.T) {
	onOldestAndNewest(t)
	for _, o := range oddWorlds {
		t.Run(o.what, func(t *testing.T) { o.try(t) })
	}
}

func (o oddWorld) try(t *testing.T) {
	lab.Topology{Namespaces: []string{"blue"}}.Up(t)
	var batch []string
	flush := func() {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(batch, "\n") + "\n")
		if out, err := cmd.CombinedOutput(); err != nil && len(batch) > 0 {
			t.Fatalf("ip -batch: %v: %s\n%s", err, out, strings.Join(batch, "\n"))
		}
		batch = nil
	}
	var hcas []string
	for line := range strings.Lines(o.lines) {
		line = strings.TrimSpace(line)
		command, isShell := strings.CutPrefix(line, "!")
		perhaps, isPerhaps := strings.CutPrefix(line, "?")
		netdevs, isHCA := strings.CutPrefix(line, "hca ")
		switch {
		case isShell:
			flush()
			run(t, "sh", "-ec", command)
		case isPerhaps: // not every kernel has the module
			flush()
			if out, err := exec.Command("ip", strings.Fields(perhaps)...).CombinedOutput(); err != nil {
				t.Logf("ip %s: %s", perhaps, out)
			}
		case isHCA:
			flush()
			run(t, "sh", "-ec", "for n in "+netdevs+"; do rdma link add rxe_$n type rxe netdev $n; done")
			for _, netdev := range strings.Fields(netdevs) {
				hcas = append(hcas, "rxe_"+netdev)
			}
		case line != "":
			batch = append(batch, line)
		}
	}
	flush()
	none := func(when string) {
		t.Helper()
		reports := auditOf(t, hcas)
		for _, f := range differences(reports) {
			t.Errorf("%s: %s", when, f)
		}
		for _, r := range reports {
			t.Logf("%s: %s of %s: %d in use, %d expected", when, r.PortName, r.Netdev, r.Used, r.Expected)
		}
	}
	none("by events")
	if !soak.On() {
		return
	}
	for _, hca := range hcas {
		netdev := netdevOf(t, hca)
		run(t, "rdma", "link", "del", hca)
		run(t, "rdma", "link", "add", hca, "type", "rxe", "netdev", netdev)
	}
	none("made anew")
}

func netdevOf(t *testing.T, hca string) string {
	t.Helper()
	for _, link := range rdmaObjects(t, "", "link", "show", hca+"/1") {
		return link["netdev"].(string)
	}
	t.Fatalf("no netdev of %s", hca)
	return ""
}

func auditOf(t *testing.T, hcas []string) []survey.Report {
	t.Helper()
	slices.Sort(hcas)
	tables := worldTables{hcas}
	s, err := survey.Settled(t.Context(), survey.Live(tables), (*survey.Survey).Sound)
	if err != nil {
		t.Fatal(err)
	}
	return s.Audit(func(survey.PortName, string) []string { return nil })
}
