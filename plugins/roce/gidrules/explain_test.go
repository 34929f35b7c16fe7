package gidrules

import (
	"slices"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestExplain(t *testing.T) {
	bond := []string{"a 02:00:00:00:00:0a master=b", "c 02:00:00:00:00:0c master=b", "b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24", "v vlan on=b 10.0.5.1/24"}
	plain := []string{eth0 + " 10.0.7.1-10.0.7.2/32", eth1 + " 10.0.9.1/24 2001:db8::9/64", "x ns=blue 02:00:00:00:00:0b 10.0.8.1/24", "m macvlan on=eth0 02:00:00:00:00:0d 10.0.3.1/24"}
	nested := []string{"a master=b", "b bond:active-backup active=a master=d 02:00:00:00:00:01", "d bond:active-backup active=b 02:00:00:00:00:03"}
	tests := []struct {
		what    string
		host    []string
		port    string
		changes []string
		subject string
		slot    int
		want    Verdict
		reason  Reason
		netdev  string
		chain   []string
	}{
		{what: "an address", host: plain, port: "eth0", subject: "10.0.0.1", want: Present, reason: FromAddress, netdev: "eth0", chain: []string{"eth0"}},
		{what: "the default GID", host: plain, port: "eth0", subject: "fe80::ff:fe00:1", want: Present, reason: FromMAC, netdev: "eth0", chain: []string{"eth0"}},
		{what: "an upper's address", host: plain, port: "eth0", subject: "10.0.3.1", want: Present, reason: FromAddress, netdev: "m", chain: []string{"eth0", "m"}},
		{what: "a VLAN of a bond", host: bond, port: "a", subject: "10.0.5.1", want: Present, reason: FromAddress, netdev: "v", chain: []string{"a", "b", "v"}},
		{what: "the bond's default GID on an inactive slave", host: bond, port: "c", subject: "fe80::ff:fe00:1", want: Present, reason: FromMAC, netdev: "b", chain: []string{"c", "b"}},
		{what: "a peer's address", host: plain, port: "eth0", subject: "10.0.7.2", want: Present, reason: FromAddress, netdev: "eth0", chain: []string{"eth0"}},
		{what: "one's own beside a peer's", host: plain, port: "eth0", subject: "10.0.7.1", want: Absent, reason: LocalOfPeer, netdev: "eth0", chain: []string{"eth0"}},
		{what: "nobody's", host: plain, port: "eth0", subject: "10.1.1.1", want: Absent, reason: NoSuchAddress},
		{what: "another netdev's", host: plain, port: "eth0", subject: "10.0.9.1", want: Absent, reason: OtherNetdev, netdev: "eth1", chain: []string{"eth1"}},
		{what: "in another namespace", host: plain, port: "eth0", subject: "10.0.8.1", want: Absent, reason: OtherNamespace, netdev: "x in network namespace blue", chain: []string{"x in network namespace blue"}},
		{what: "on an inactive slave", host: bond, port: "c", subject: "10.0.0.1", want: Absent, reason: InactiveSlave, netdev: "b", chain: []string{"c", "b"}},
		{what: "a VLAN's on an inactive slave", host: bond, port: "c", subject: "10.0.5.1", want: Absent, reason: InactiveSlave, netdev: "v", chain: []string{"c", "b", "v"}},
		{what: "the slave's own MAC", host: bond, port: "c", subject: "fe80::ff:fe00:c", want: Absent, reason: SlaveOfBond, netdev: "c", chain: []string{"c"}},
		{what: "another netdev's MAC", host: plain, port: "eth0", subject: "fe80::ff:fe00:2", want: Absent, reason: OtherNetdev, netdev: "eth1", chain: []string{"eth1"}},
		{what: "an upper's MAC without IPv6", host: plain, port: "eth0", subject: "fe80::ff:fe00:d", want: Absent, reason: LinkLocalOff, netdev: "m", chain: []string{"eth0", "m"}},
		{what: "no netdev's MAC", host: plain, port: "eth0", subject: "fe80::ff:fe00:77", want: Absent, reason: NoSuchMAC},
		{what: "the second of two bonds", host: nested, port: "a", subject: "fe80::ff:fe00:3", want: Absent, reason: OtherDefault, netdev: "d", chain: []string{"a", "b", "d"}},
		{what: "lost", host: plain, port: "eth0", changes: []string{"-10.0.0.1"}, subject: "10.0.0.1", want: AbsentLost, reason: Reason(Lost), netdev: "eth0", chain: []string{"eth0"}},
		{what: "left behind", host: plain, port: "eth0", changes: []string{"+8 10.1.1.1 eth0"}, subject: "10.1.1.1", want: PresentStale, reason: Reason(AddressGone), netdev: "eth0", chain: []string{"eth0"}},
		{what: "the old MAC", host: bond, port: "c", changes: []string{"-fe80::ff:fe00:1", "+0 fe80::ff:fe00:7 b"}, subject: "fe80::ff:fe00:7", want: PresentStale, reason: Reason(BondMACOnInactive), netdev: "b", chain: []string{"c", "b"}},
		{what: "the new MAC", host: bond, port: "c", changes: []string{"-fe80::ff:fe00:1", "+0 fe80::ff:fe00:7 b"}, subject: "fe80::ff:fe00:1", want: AbsentLost, reason: Reason(BondMACOnInactive), netdev: "b", chain: []string{"c", "b"}},
		{what: "a port on a VLAN", host: []string{eth0, "v vlan on=eth0 02:00:00:00:00:01 10.0.1.1/24"}, port: "v", subject: "10.0.1.1", want: Absent, reason: VLANPort, netdev: "v", chain: []string{"v"}},
		{what: "a slot in use", host: plain, port: "eth0", slot: 1, want: Present, reason: FromAddress, netdev: "eth0", chain: []string{"eth0"}},
		{what: "the slot of the default GID", host: plain, port: "eth0", slot: 0, want: Present, reason: FromMAC, netdev: "eth0", chain: []string{"eth0"}},
		{what: "a free slot", host: plain, port: "eth0", slot: 12, want: EmptySlot, reason: NotInUse},
		{what: "the free slot of the default GID", host: plain, port: "eth0", changes: []string{"-fe80::ff:fe00:1"}, slot: 0, want: AbsentLost, reason: Reason(ReleasedSlave), netdev: "eth0", chain: []string{"eth0"}},
		{what: "a slot that nothing belongs into", host: []string{"eth0 tun 10.0.0.1/24"}, port: "eth0", slot: 0, want: EmptySlot, reason: ReservedSlot},
		{what: "a stale slot", host: plain, port: "eth0", changes: []string{"+8 10.1.1.1 gone"}, slot: 8, want: PresentStale, reason: Reason(NetdevGone)},
	}
	for _, tt := range tests {
		w := NewWorld(build(t, tt.host...))
		e := w.Expect(ref(t, w, tt.port))
		q := Question{Index: rdma.Known(uint32(tt.slot))}
		if tt.subject != "" {
			q = Question{GID: gid(tt.subject)}
		}
		x := w.Explain(port(16, tamper(t, ideal(e, v2), tt.changes...)), e, q, nil)
		if x.Verdict != tt.want || x.Reason != tt.reason || x.Netdev != tt.netdev && tt.reason != Reason(NetdevGone) || !slices.Equal(x.Chain, tt.chain) {
			t.Errorf("%s: got %+v", tt.what, x)
		}
		if len(x.Text) == 0 {
			t.Errorf("%s: nothing is said", tt.what)
		}
	}
}

func TestExplainNamesOtherPorts(t *testing.T) {
	w := NewWorld(build(t, "a 02:00:00:00:00:0a master=b", "c 02:00:00:00:00:0c master=b", "b bond:active-backup active=a 02:00:00:00:00:01 10.0.0.1/24"))
	a, c := Carrier{"rxe1/1", w.Expect(ref(t, w, "a"))}, Carrier{"rxe0/1", w.Expect(ref(t, w, "c"))}
	x := w.Explain(port(8, ideal(c.Expectation, v2)), c.Expectation, Question{GID: gid("10.0.0.1")}, []Carrier{a, c})
	if x.Reason != InactiveSlave || !slices.Equal(x.Elsewhere, []string{"rxe1/1"}) {
		t.Errorf("got %+v", x)
	}
}

// That a link is down is said, and said not to be the reason.
func TestExplainPortDown(t *testing.T) {
	w := NewWorld(build(t, "eth0 down 02:00:00:00:00:01"))
	e := w.Expect(ref(t, w, "eth0"))
	x := w.Explain(port(8, ideal(e, v2)), e, Question{GID: gid("10.0.0.1")}, nil)
	if x.Reason != NoSuchAddress || len(x.Text) != 2 {
		t.Errorf("got %+v", x)
	}
}

func TestExplainPartial(t *testing.T) {
	s := build(t, eth0)
	s.Partial = true
	w := NewWorld(s)
	e := w.Expect(ref(t, w, "eth0"))
	if x := w.Explain(port(8, ideal(e, v2)), e, Question{GID: gid("10.7.7.7")}, nil); x.Verdict != Indeterminate {
		t.Errorf("got %+v", x)
	}
	if x := w.Explain(port(8, nil), Expectation{}, Question{GID: gid("10.7.7.7")}, nil); x.Verdict != Indeterminate || x.Reason != UnseenNetdev {
		t.Errorf("got %+v", x)
	}
}
