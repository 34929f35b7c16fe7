package gidrules

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ibctl/ibctl/core/rdma"
)

// hosts generates hosts: netdevs that lie on earlier ones in all ways there are.
func hosts() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		var lines []string
		count := rapid.IntRange(1, 9).Draw(t, "netdevs")
		for i := range count {
			line := fmt.Sprintf("n%d 02:00:00:00:00:%02x", i, i)
			below := rapid.IntRange(-1, i-1).Draw(t, "below")
			switch kind := rapid.SampledFrom([]string{"", "", "vlan", "macvlan", "bridge", "vrf", "bond:active-backup", "bond:802.3ad", "bond:balance-tlb"}).Draw(t, "kind"); kind {
			case "vlan", "macvlan":
				if below >= 0 {
					line += fmt.Sprintf(" %s on=n%d", kind, below)
				}
			default:
				line += " " + kind
			}
			if master := rapid.IntRange(i, count+2).Draw(t, "master"); master > i && master < count {
				line += fmt.Sprintf(" master=n%d", master)
			}
			for _, a := range rapid.SliceOfNDistinct(rapid.IntRange(1, 9), 0, 3, rapid.ID).Draw(t, "addresses") {
				line += rapid.SampledFrom([]string{" 10.0.0.%d/24", " 2001:db8::%d/64", " 10.0.1.9-10.0.0.%[1]d/32", " fe80::ff:fe00:%d/64"}).Draw(t, "form")
				line = fmt.Sprintf(line, a)
			}
			lines = append(lines, line)
		}
		return withActive(t, lines)
	})
}

// withActive gives bonds that may have one an active slave.
func withActive(t *rapid.T, lines []string) []string {
	s := build(t, lines...)
	for _, n := range s.Namespaces[0].Netdevs {
		if !n.IsBond() || !n.Bond.HasPrimary() {
			continue
		}
		for _, slave := range s.Namespaces[0].Netdevs {
			if slave.Master == n.Index && rapid.Bool().Draw(t, "active") {
				lines[n.Index-1] += " active=" + slave.Name
				break
			}
		}
	}
	return lines
}

// drawn is a host, a port on it, and its table as the rules would have it.
func drawn(t *rapid.T) (*World, Expectation, []rdma.GIDEntry) {
	lines := hosts().Draw(t, "host")
	w := NewWorld(build(t, lines...))
	e := w.Expect(w.order[rapid.IntRange(0, len(w.order)-1).Draw(t, "port")].Ref)
	types := []rdma.GIDType{v2}
	if rapid.Bool().Draw(t, "v1 too") {
		types = []rdma.GIDType{v1, v2}
	}
	return w, e, ideal(e, types...)
}

// A table that is as the rules have it is never found fault with.
func TestNoFaultInAnIdealTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, e, table := drawn(t)
		if len(Types(table)) == 0 || len(e.Defaults) == 0 {
			return // an empty table shows no types, and one without defaults not how many are reserved
		}
		if found := w.Judge(port(1024, table), e); len(found) > 0 {
			t.Fatalf("found %q in %+v", briefs(found), table)
		}
	})
}

// Whatever is taken away is missed, and whatever is added is noticed.
func TestEveryFaultIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, e, table := drawn(t)
		types := len(Types(table))
		if types == 0 || len(table) == types || len(e.Defaults) == 0 {
			return
		}
		i := rapid.IntRange(types, len(table)-1).Draw(t, "entry") // an address, so that the types still show
		gone := table[i]
		lost := w.Judge(port(1024, slices.Delete(slices.Clone(table), i, i+1)), e)
		if len(lost) != 1 || lost[0].Kind != Missing || lost[0].GID != rdma.Known(gone.GID) || lost[0].Type != gone.Type {
			t.Fatalf("took %+v away, found %q", gone, briefs(lost))
		}
		extra := rdma.GIDEntry{Index: 1000, GID: gid("192.0.2.1"), Type: v2, Netdev: rapid.SampledFrom([]string{"n0", "n1", "gone"}).Draw(t, "netdev")}
		more := w.Judge(port(1024, append(slices.Clone(table), extra)), e)
		if len(more) != 1 || more[0].Kind != Stale || more[0].Index != rdma.Known(uint32(1000)) {
			t.Fatalf("put %+v in, found %q", extra, briefs(more))
		}
	})
}

// What an explanation says agrees with the table and with the audit.
func TestExplanationsAgreeWithTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, e, table := drawn(t)
		if len(table) > 0 && rapid.Bool().Draw(t, "lose one") {
			i := rapid.IntRange(0, len(table)-1).Draw(t, "lost")
			table = slices.Delete(table, i, i+1)
		}
		q := gid(fmt.Sprintf(rapid.SampledFrom([]string{"10.0.0.%d", "2001:db8::%d", "fe80::ff:fe00:%d", "10.0.1.%d"}).Draw(t, "form"), rapid.IntRange(0, 9).Draw(t, "host")))
		x := w.Explain(port(1024, table), e, Question{GID: q}, nil)
		there := slices.ContainsFunc(table, func(entry rdma.GIDEntry) bool { return entry.GID == q })
		if said := x.Verdict == Present || x.Verdict == PresentStale; said != there || len(x.Text) == 0 {
			t.Fatalf("%v is there: %v; explained as %+v", q, there, x)
		}
		belongs := slices.ContainsFunc(e.Addresses, func(s Source) bool { return s.GID == q })
		if !there && belongs && x.Verdict != AbsentLost {
			t.Fatalf("%v belongs there; explained as %+v", q, x)
		}
		if !there && !belongs && x.Verdict == AbsentLost && !slices.ContainsFunc(e.Defaults, func(s Source) bool { return s.GID == q }) {
			t.Fatalf("%v does not belong there; explained as %+v", q, x)
		}
	})
}

// The order in which netdevs are listed means nothing, but for which of several
// default GIDs is named first.
func TestOrderMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := build(t, hosts().Draw(t, "host")...)
		from := s.Namespaces[0].Netdevs[0].Ref
		w := NewWorld(s)
		want := expected(w.Expect(from))
		turned := *s
		turned.Namespaces = slices.Clone(s.Namespaces)
		turned.Namespaces[0].Netdevs = slices.Clone(s.Namespaces[0].Netdevs)
		slices.Reverse(turned.Namespaces[0].Netdevs)
		if got := expected(NewWorld(&turned).Expect(from)); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
