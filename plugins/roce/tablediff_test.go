package roce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/soak"
)

// gids reads "3:10.0.0.1@eth0 5:…" as a table of v2 entries; a "!" makes one v1.
func gids(text string) (table []rdma.GIDEntry) {
	for _, word := range strings.Fields(text) {
		e := rdma.GIDEntry{Type: v2}
		if rest, ok := strings.CutSuffix(word, "!"); ok {
			word, e.Type = rest, v1
		}
		index, rest, _ := strings.Cut(word, ":")
		ip, netdev, _ := strings.Cut(rest, "@")
		fmt.Sscan(index, &e.Index)
		e.GID, e.Netdev = rdma.GIDFromAddr(netip.MustParseAddr(ip)), netdev
		table = append(table, e)
	}
	return table
}

func TestDifference(t *testing.T) {
	tests := []struct{ from, to, want string }{
		{"", "", ""},
		{"0:10.0.0.1@e 3:10.0.0.2@e", "0:10.0.0.1@e 3:10.0.0.2@e", ""},
		{"", "0:10.0.0.1@e 1:10.0.0.2@e", "added 0, added 1"},
		{"0:10.0.0.1@e 1:10.0.0.2@e", "1:10.0.0.2@e", "removed 0"},
		{"3:10.0.0.1@e", "5:10.0.0.1@e", "moved 3→5"},
		{"3:10.0.0.1@e", "3:10.0.0.1@f", "changed 3"},
		{"3:10.0.0.1@e", "3:10.0.0.1@e!", "changed 3"},
		{"3:10.0.0.1@e", "3:10.0.0.2@e", "removed 3, added 3"},
		{"3:10.0.0.1@e", "5:10.0.0.1@e!", "removed 3, added 5"},
		{"3:10.0.0.1@e 5:10.0.0.2@e", "5:10.0.0.1@e 7:10.0.0.2@e", "moved 5→7, moved 3→5"},
		{"3:10.0.0.1@e 5:10.0.0.2@e", "3:10.0.0.2@e 5:10.0.0.1@e", "removed 5, moved 3→5, added 3"},
		{"3:10.0.0.1@e 5:10.0.0.2@e", "5:10.0.0.1@e", "removed 5, moved 3→5"},
	}
	names := map[any]string{kindAdded: "added", kindRemoved: "removed", kindMoved: "moved", kindChanged: "changed"}
	for _, tt := range tests {
		var got []string
		for _, c := range difference(gids(tt.from), gids(tt.to)) {
			text := fmt.Sprintf("%s %d", names[c.kind], c.entry.Index)
			if c.kind == kindMoved {
				text = fmt.Sprintf("moved %d→%d", c.old.Index, c.entry.Index)
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s to %s: %v, want %s", tt.from, tt.to, got, tt.want)
		}
	}
}

// replay applies changes by index, as a reader of ibctl gid watch may. It fails
// where a change does not fit what is there.
func replay(t *testing.T, table map[uint32]rdma.GIDEntry, changes []change) {
	t.Helper()
	for _, c := range changes {
		old := c.entry
		if c.kind == kindMoved || c.kind == kindChanged {
			old = c.old
		}
		there, occupied := table[old.Index]
		if c.kind == kindAdded {
			if occupied {
				t.Fatalf("%+v into a slot that has %+v", c, there)
			}
		} else if there != old {
			t.Fatalf("%+v, and there is %+v", c, there)
		}
		delete(table, old.Index)
		if _, taken := table[c.entry.Index]; taken {
			t.Fatalf("%+v to a slot that is taken", c)
		}
		if c.kind != kindRemoved {
			table[c.entry.Index] = c.entry
		}
	}
}

// Whatever two tables are like, the changes lead from one to the other.
func TestDifferenceLeadsThere(t *testing.T) {
	random := soak.Dice(t)
	table := func() (all []rdma.GIDEntry) {
		for index := range uint32(12) {
			if random.IntN(3) > 0 {
				all = append(all, gids(fmt.Sprintf("%d:10.0.0.%d@e%d", index, random.IntN(8), random.IntN(2)))...)
			}
		}
		return all
	}
	for range 5000 {
		from, to := table(), table()
		have := map[uint32]rdma.GIDEntry{}
		for _, e := range from {
			have[e.Index] = e
		}
		replay(t, have, difference(from, to))
		got := slices.SortedFunc(maps.Values(have), func(a, b rdma.GIDEntry) int { return int(a.Index) - int(b.Index) })
		if !sameTable(got, to) {
			t.Fatalf("%v to %v comes to %v", from, to, got)
		}
	}
}
