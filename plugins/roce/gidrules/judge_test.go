package gidrules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

const v1, v2 = rdma.GIDTypeIBOrRoCEv1, rdma.GIDTypeRoCEv2

// brief writes a finding in a line.
func brief(f Finding) string {
	text := string(f.Kind)
	if g, ok := f.GID.Get(); ok {
		text += " " + g.Addr().String() + " of " + f.Netdev
	}
	if f.Cause != NoCause {
		text += ": " + string(f.Cause)
	}
	return text
}

func briefs(found []Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, brief(f))
	}
	slices.Sort(all)
	return all
}

// tamper changes a table: "-10.0.0.1" takes entries of that GID away,
// "+3 10.0.0.9 eth0" puts one into a slot.
func tamper(t *testing.T, table []rdma.GIDEntry, changes ...string) []rdma.GIDEntry {
	t.Helper()
	for _, c := range changes {
		if addr, ok := strings.CutPrefix(c, "-"); ok {
			table = slices.DeleteFunc(table, func(e rdma.GIDEntry) bool { return e.GID == gid(addr) })
			continue
		}
		e := rdma.GIDEntry{Device: "rxe0", Port: 1, Type: v2}
		var addr string
		if _, err := fmt.Sscanf(c, "+%d %s %s", &e.Index, &addr, &e.Netdev); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		e.GID = gid(addr)
		table = append(table, e)
	}
	slices.SortFunc(table, func(a, b rdma.GIDEntry) int { return int(a.Index) - int(b.Index) })
	return table
}

func TestJudge(t *testing.T) {
	bond := func(mode, active string) []string {
		return []string{"a 02:00:00:00:00:01 master=b", "c 02:00:00:00:00:02 master=b", "b bond:" + mode + active + " 02:00:00:00:00:01 10.0.0.1/24", "v vlan on=b 02:00:00:00:00:01 10.0.5.1/24", "br bridge 02:00:00:00:00:0e 10.0.6.1/24", "bv vlan on=b master=br"}
	}
	active := " active=a"
	plain := []string{eth0, eth1 + " 10.0.9.1/24"}
	tests := []struct {
		what    string
		host    []string
		port    string
		changes []string
		want    []string
	}{
		{"nothing", plain, "eth0", nil, nil},
		{"an address without its GID", plain, "eth0", []string{"-10.0.0.1"}, []string{"missing 10.0.0.1 of eth0: lost"}},
		{"a GID without its address", plain, "eth0", []string{"+5 10.0.0.9 eth0"}, []string{"stale 10.0.0.9 of eth0: address_gone"}},
		{"of a netdev that is no more", plain, "eth0", []string{"+5 10.0.0.9 v9"}, []string{"stale 10.0.0.9 of v9: netdev_gone"}},
		{"of another netdev", plain, "eth0", []string{"+5 10.0.9.1 eth1"}, []string{"stale 10.0.9.1 of eth1: not_an_upper"}},
		{"there twice", plain, "eth0", []string{"+5 10.0.0.1 eth0"}, []string{"duplicate 10.0.0.1 of eth0"}},
		{"a link-local address of its own beside the default GID is none too many", plain, "eth0", []string{"+5 fe80::ff:fe00:1 eth0"}, nil},
		{"the default GID of another MAC", plain, "eth0", []string{"-fe80::ff:fe00:1", "+0 fe80::ff:fe00:9 eth0"},
			[]string{"missing fe80::ff:fe00:1 of eth0: lost", "wrong_mac fe80::ff:fe00:9 of eth0: mac_changed"}},
		{"no default GID", []string{"eth0 02:00:00:00:00:01 10.0.0.1/24"}, "eth0", []string{"-fe80::ff:fe00:1"}, []string{"missing fe80::ff:fe00:1 of eth0: released_from_bond"}},
		{"a port on a bond, after a failover", bond("active-backup", active), "b", []string{"-fe80::ff:fe00:1"}, []string{"missing fe80::ff:fe00:1 of b: failover_of_own_bond"}},
		{"the MAC of a bond changed", bond("active-backup", active), "c", []string{"-fe80::ff:fe00:1", "+0 fe80::ff:fe00:7 b"},
			[]string{"wrong_mac fe80::ff:fe00:7 of b: bond_mac_changed_on_inactive_slave"}},
		{"balance-tlb, on the new active port", bond("balance-tlb", active), "a", []string{"-10.0.0.1", "-10.0.5.1"},
			[]string{"missing 10.0.0.1 of b: failover_without_event", "missing 10.0.5.1 of v: failover_without_event"}},
		{"balance-tlb, on the old one", bond("balance-tlb", active), "c", []string{"+5 10.0.0.1 b"}, []string{"stale 10.0.0.1 of b: failover_without_event"}},
		{"a bond without an active slave", bond("active-backup", ""), "c", []string{"-10.0.0.1"}, []string{"missing 10.0.0.1 of b: bond_without_active_slave"}},
		{"a bridge on an inactive slave's bond", bond("active-backup", active), "c", []string{"-10.0.6.1"}, []string{"missing 10.0.6.1 of br: failover_took_uppers"}},
		{"a bond's address on an inactive slave", bond("active-backup", active), "c", []string{"+5 10.0.0.1 b"}, []string{"stale 10.0.0.1 of b: entered_on_inactive_slave"}},
		{"two ways up", []string{"eth0 02:00:00:00:00:01 master=br", "v vlan on=eth0 master=br", "br bridge 02:00:00:00:00:0e 10.0.1.1/24"}, "eth0", []string{"-10.0.1.1"},
			[]string{"missing 10.0.1.1 of br: one_of_two_ways_unlinked"}},
		{"no Ethernet", []string{"eth0 tun 02:00:00:00:00:01 10.0.0.1/24 10.0.0.2/24"}, "eth0", []string{"-10.0.0.2", "+7 10.0.0.9 eth0"},
			[]string{"missing 10.0.0.2 of eth0: not_followed", "stale 10.0.0.9 of eth0: not_followed"}},
	}
	for _, tt := range tests {
		w := NewWorld(build(t, tt.host...))
		e := w.Expect(ref(t, w, tt.port))
		found := w.Judge(port(16, tamper(t, ideal(e, v2), tt.changes...)), e)
		if got := briefs(found); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
		for _, f := range found {
			if len(f.Evidence) == 0 || f.Consequence == "" || f.Cause != NoCause && f.Cause != Full && len(f.Mend) == 0 {
				t.Errorf("%s: %s: evidence %q, consequence %q, mend %q", tt.what, brief(f), f.Evidence, f.Consequence, f.Mend)
			}
		}
	}
}

func TestJudgeBothTypes(t *testing.T) {
	w := NewWorld(build(t, eth0, eth1))
	e := w.Expect(ref(t, w, "eth0"))
	if found := w.Judge(port(16, ideal(e, v1, v2)), e); len(found) > 0 {
		t.Errorf("found %q", briefs(found))
	}
	found := w.Judge(port(16, tamper(t, ideal(e, v1, v2), "-10.0.0.1")), e)
	if len(found) != 2 || found[0].Type != v1 || found[1].Type != v2 {
		t.Errorf("found %+v, want one of each type", found)
	}
	if found := w.Judge(port(16, ideal(e, v1)), e); !slices.Equal(briefs(found), []string{"v1_only"}) {
		t.Errorf("v1 alone: found %q", briefs(found))
	}
}

func TestJudgeFullTable(t *testing.T) {
	w := NewWorld(build(t, "eth0 02:00:00:00:00:01 10.0.0.1/24 10.0.0.2/24 10.0.0.3/24"))
	e := w.Expect(ref(t, w, "eth0"))
	found := w.Judge(port(3, tamper(t, ideal(e, v2), "-10.0.0.3")), e)
	if want := []string{"missing 10.0.0.3 of eth0: table_full", "table_full"}; !slices.Equal(briefs(found), want) {
		t.Errorf("found %q, want %q", briefs(found), want)
	}
}

func TestJudgeAnEmptyTable(t *testing.T) {
	w := NewWorld(build(t, "eth0 02:00:00:00:00:01 10.0.0.1/24"))
	e := w.Expect(ref(t, w, "eth0"))
	found := w.Judge(port(8, nil), e)
	if want := []string{"missing 10.0.0.1 of eth0: lost", "missing fe80::ff:fe00:1 of eth0: released_from_bond"}; !slices.Equal(briefs(found), want) {
		t.Errorf("found %q, want %q", briefs(found), want)
	}
}

// What may be in a namespace that was not seen is not said to be wrong.
func TestJudgeIsUnsureOfWhatItCannotSee(t *testing.T) {
	s := build(t, eth0, eth1)
	s.Partial = true
	w := NewWorld(s)
	e := w.Expect(ref(t, w, "eth0"))
	found := w.Judge(port(16, tamper(t, ideal(e, v2), "+5 10.0.0.9 v9", "+6 10.0.0.8 eth0")), e)
	if len(found) != 2 || found[0].Severity != Unknown || found[1].Severity != Critical {
		t.Errorf("found %+v", found)
	}
	if found := w.Judge(port(16, nil), Expectation{}); len(found) != 1 || found[0].Kind != Unjudged || found[0].Severity != Unknown {
		t.Errorf("without a netdev: %+v", found)
	}
}

// Netdevs of one name in two namespaces are told apart by how many there are.
func TestJudgeNamesakes(t *testing.T) {
	w := NewWorld(build(t, "eth0 02:00:00:00:00:01", "m1 name=m macvlan on=eth0 10.0.0.1/24", "m2 name=m macvlan on=eth0 ns=blue 10.0.0.1/24"))
	e := w.Expect(ref(t, w, "eth0"))
	table := ideal(e, v2)
	if found := w.Judge(port(8, table), e); len(found) > 0 {
		t.Errorf("both there: found %q", briefs(found))
	}
	if found := w.Judge(port(8, table[:2]), e); !slices.Equal(briefs(found), []string{"missing 10.0.0.1 of m in network namespace blue: lost"}) {
		t.Errorf("one there: found %q", briefs(found))
	}
}

func TestMend(t *testing.T) {
	w := NewWorld(build(t, "a 02:00:00:00:00:01 master=b", "c 02:00:00:00:00:02 master=b", "b bond:balance-tlb active=a 02:00:00:00:00:01 10.0.0.1/24",
		"m macvlan on=b ns=blue 02:00:00:00:00:05 10.0.3.1/24"))
	tests := []struct {
		port   string
		change string
		want   []string
	}{
		{"a", "-10.0.0.1", []string{"ip link set dev b address 02:00:00:00:00:01"}},
		{"c", "+5 10.0.0.1 b", []string{"ip link set dev c nomaster", "ip link set dev c master b"}},
		{"a", "-10.0.3.1", []string{"ip -n blue link set dev m address 02:00:00:00:00:05"}},
		{"a", "+5 10.0.0.9 gone", []string{"rebuild"}},
	}
	for _, tt := range tests {
		e := w.Expect(ref(t, w, tt.port))
		found := w.Judge(port(16, tamper(t, ideal(e, v2), tt.change)), e)
		if len(found) != 1 || !slices.Equal(found[0].Mend, tt.want) {
			t.Errorf("%s %s: found %+v, want %q", tt.port, tt.change, found, tt.want)
		}
	}
}

func TestAcross(t *testing.T) {
	tests := []struct {
		what  string
		host  []string
		ports []string
		want  []string
	}{
		{"apart", []string{"a 10.0.0.1/24", "c 10.0.1.1/24"}, []string{"a", "c"}, nil},
		{"one subnet", []string{"a 10.0.0.1/24", "c 10.0.0.2/24"}, []string{"a", "c"}, []string{"same_subnet"}},
		{"one subnet in two namespaces", []string{"a 10.0.0.1/24", "c ns=blue 10.0.0.2/24"}, []string{"a", "c"}, nil},
		{"one subnet in a VRF and outside", []string{"a 10.0.0.1/24", "c master=v 10.0.0.2/24", "v vrf"}, []string{"a", "c"}, nil},
		{"link-local addresses are all alike", []string{"a fe80::1/64", "c fe80::1/64"}, []string{"a", "c"}, nil},
		{"an address on two netdevs of a port", []string{"a 10.0.0.1/24", "v vlan on=a 10.0.0.1/32"}, []string{"a"}, []string{"ambiguous 10.0.0.1 of a"}},
		{"an address on two ports", []string{"a 10.0.0.1/32", "c 10.0.0.1/32"}, []string{"a", "c"}, []string{"ambiguous 10.0.0.1 of a"}},
		{"both slaves of a bond carry its address", []string{"a master=b", "c master=b", "b bond:802.3ad 10.0.0.1/24"}, []string{"a", "c"}, []string{"ambiguous 10.0.0.1 of b"}},
		{"one alone", []string{"a master=b", "c master=b", "b bond:active-backup active=a 10.0.0.1/24"}, []string{"a", "c"}, nil},
	}
	for _, tt := range tests {
		w := NewWorld(build(t, tt.host...))
		var carriers []Carrier
		for _, p := range tt.ports {
			carriers = append(carriers, Carrier{p, w.Expect(ref(t, w, p))})
		}
		found := w.Across(carriers, func(int) bool { return true })
		if got := briefs(found[0]); !slices.Equal(got, tt.want) || len(found[1]) > 0 {
			t.Errorf("%s: got %q and %q, want %q", tt.what, got, briefs(found[1]), tt.want)
		}
		last := w.Across(carriers, func(p int) bool { return p == len(carriers)-1 })
		if len(tt.want) > 0 && len(last[len(carriers)-1]) != 1 {
			t.Errorf("%s: who asks for the other port hears %v", tt.what, last)
		}
	}
}
