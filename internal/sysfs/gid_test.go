package sysfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

const zeroGID = "0000:0000:0000:0000:0000:0000:0000:0000\n"

// gidTree makes the table of x/1 with that many slots, of which some are in
// use: slot → {GID, type, netdev}. An attribute that is "" has no file; on a
// kernel, reading it would fail with EINVAL.
func gidTree(slots int, used map[int][3]string) sysfstest.Tree {
	tree := sysfstest.Tree{"gid_attrs/types/": "", "gid_attrs/ndevs/": ""}
	for i := range slots {
		n := strconv.Itoa(i)
		tree["gids/"+n] = zeroGID
		if e, ok := used[i]; ok {
			tree["gids/"+n] = e[0] + "\n"
			for j, attr := range []string{"types", "ndevs"} {
				if e[j+1] != "" {
					tree["gid_attrs/"+attr+"/"+n] = e[j+1] + "\n"
				}
			}
		}
	}
	return tree.Under("class/infiniband/x/ports/1")
}

func entry(t *testing.T, index uint32, gid string, typ rdma.GIDType, netdev string, isDefault rdma.Opt[bool]) rdma.GIDEntry {
	t.Helper()
	g, err := rdma.ParseGID(gid)
	if err != nil {
		t.Fatal(err)
	}
	return rdma.GIDEntry{Device: "x", Port: 1, Index: index, GID: g, Type: typ, Netdev: netdev, Default: isDefault}
}

func TestGIDs(t *testing.T) {
	tree := gidTree(40, map[int][3]string{
		0:  {"fe80::5054:ff:fe12:3456", "IB/RoCE v1", "eth0"},
		1:  {"fe80::5054:ff:fe12:3456", "RoCE v2", "eth0"},
		4:  {"::ffff:192.0.2.1", "IB/RoCE v1", "eth0"},
		5:  {"::ffff:192.0.2.1", "RoCE v2", "eth0.100"},
		39: {"2001:db8::1", "RoCE v2", ""},
	})
	want := []rdma.GIDEntry{
		entry(t, 0, "fe80::5054:ff:fe12:3456", rdma.GIDTypeIBOrRoCEv1, "eth0", rdma.Known(true)),
		entry(t, 1, "fe80::5054:ff:fe12:3456", rdma.GIDTypeRoCEv2, "eth0", rdma.Known(true)),
		entry(t, 4, "::ffff:192.0.2.1", rdma.GIDTypeIBOrRoCEv1, "eth0", rdma.Known(false)),
		entry(t, 5, "::ffff:192.0.2.1", rdma.GIDTypeRoCEv2, "eth0.100", rdma.Known(false)),
		entry(t, 39, "2001:db8::1", rdma.GIDTypeRoCEv2, "", rdma.Known(false)),
	}
	for name, fs := range open(t, tree) {
		table, warnings, err := fs.GIDs(t.Context(), "x", 1, false)
		if err != nil || len(warnings) > 0 || table.Slots != 40 {
			t.Errorf("%s: %d slots, %v, %v", name, table.Slots, warnings, err)
		}
		if !reflect.DeepEqual(table.Entries, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, table.Entries, want)
		}
		table, _, err = fs.GIDs(t.Context(), "x", 1, true)
		if err != nil || len(table.Entries) != 40 || table.Entries[39] != want[4] || !table.Entries[2].Empty() {
			t.Errorf("%s, with empty slots: %d entries, %v", name, len(table.Entries), err)
		}
	}
}

// Whether slot 1 is a default depends on how many types the port has.
func TestDefaults(t *testing.T) {
	yes, no, unknown := rdma.Known(true), rdma.Known(false), rdma.Opt[bool]{}
	v1, v2 := "IB/RoCE v1", "RoCE v2"
	for _, c := range []struct {
		what string
		used map[int][3]string
		want []rdma.Opt[bool]
	}{
		{"two types", map[int][3]string{0: {"fe80::1", v1, "e"}, 1: {"fe80::1", v2, "e"}, 2: {"::ffff:1.2.3.4", v1, "e"}}, []rdma.Opt[bool]{yes, yes, no}},
		{"soft RoCE has one type", map[int][3]string{0: {"fe80::1", v2, "e"}, 1: {"::ffff:1.2.3.4", v2, "e"}}, []rdma.Opt[bool]{yes, no}},
		{"InfiniBand", map[int][3]string{0: {"fe80::1", v1, ""}, 1: {"fe80::2", v1, ""}}, []rdma.Opt[bool]{yes, no}},
		{"part of a table, as a pod sees it", map[int][3]string{4: {"::ffff:1.2.3.4", v1, "e"}, 5: {"::ffff:1.2.3.4", v2, "e"}}, []rdma.Opt[bool]{no, no}},
		{"part of a table that does not tell", map[int][3]string{1: {"fe80::1", v2, "e"}, 3: {"::ffff:1.2.3.4", v2, "e"}}, []rdma.Opt[bool]{unknown, no}},
	} {
		for name, fs := range open(t, gidTree(8, c.used)) {
			table, _, err := fs.GIDs(t.Context(), "x", 1, false)
			if err != nil {
				t.Errorf("%s, %s: %v", c.what, name, err)
			}
			var got []rdma.Opt[bool]
			for _, e := range table.Entries {
				got = append(got, e.Default)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s, %s: got %v, want %v", c.what, name, got, c.want)
			}
		}
	}
}

// A copy may hold the slots in use alone.
func TestGIDsOfSparseCopy(t *testing.T) {
	fs := open(t, sysfstest.Tree{
		"class/infiniband/x/ports/1/gids/4":    "::ffff:192.0.2.1\n",
		"class/infiniband/x/ports/1/gids/10":   "2001:db8::1\n",
		"class/infiniband/x/ports/1/gids/junk": "junk",
	})["copied"]
	table, warnings, err := fs.GIDs(t.Context(), "x", 1, false)
	if err != nil || len(warnings) > 0 || table.Slots != 11 || len(table.Entries) != 2 || table.Entries[1].Index != 10 {
		t.Errorf("got %+v, %v, %v", table, warnings, err)
	}
}

func TestGIDsBadSlots(t *testing.T) {
	tree := gidTree(30, map[int][3]string{0: {"fe80::1", "RoCE v2", "eth0"}, 29: {"fe80::2", "RoCE v2", "eth0"}})
	for i := 2; i < 22; i++ {
		tree[fmt.Sprintf("class/infiniband/x/ports/1/gids/%d", i)] = "N/A\n"
	}
	delete(tree, "class/infiniband/x/ports/1/gids/3")
	tree["class/infiniband/x/ports/1/gids/3/"] = ""
	for name, fs := range open(t, tree) {
		table, warnings, err := fs.GIDs(t.Context(), "x", 1, false)
		if err != nil || len(table.Entries) != 2 || table.Slots != 30 {
			t.Errorf("%s: %+v, %v", name, table, err)
		}
		if len(warnings) != maxSlotWarnings+1 || warnings[0].Object != "x/1/2" || !errors.Is(warnings[0], ErrNonsense) {
			t.Errorf("%s: %v", name, warnings)
		}
		if last := warnings[len(warnings)-1].Error(); last != "x/1: read GIDs: 12 more warnings of this kind" {
			t.Errorf("%s: %s", name, last)
		}
	}
}

func TestGIDsErrors(t *testing.T) {
	for name, fs := range open(t, gidTree(8, nil)) {
		if _, _, err := fs.GIDs(t.Context(), "y", 1, false); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%s: no device: %v", name, err)
		}
		if _, _, err := fs.GIDs(t.Context(), "x", 2, false); !errors.Is(err, ErrNoPort) {
			t.Errorf("%s: no port: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := fs.GIDs(ctx, "x", 1, false); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled: %v", name, err)
		}
	}
}

// openTable starts to read port 1 of device x.
func openTable(t *testing.T, fs *FS) (*gidReader, error) {
	t.Helper()
	d, err := fs.OpenDevice("x")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { d.Close() })
	return d.openGIDs("x", 1)
}

// What was opened stays with its device, whoever takes the name.
func TestDeviceOutlivesItsName(t *testing.T) {
	fs := open(t, gidTree(4, map[int][3]string{0: {"fe80::1", "RoCE v2", "eth0"}}))["live"]
	d, err := fs.OpenDevice("x")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	class := filepath.Join(fs.root, "class/infiniband")
	if err := os.Rename(filepath.Join(class, "x"), filepath.Join(class, "renamed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(class, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if table, _, err := d.GIDs(t.Context(), "renamed", 1, false); err != nil || len(table.Entries) != 1 || table.Entries[0].Device != "renamed" {
		t.Errorf("after a rename: %+v, %v", table, err)
	}
	if err := os.RemoveAll(filepath.Join(class, "renamed")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.GIDs(t.Context(), "renamed", 1, false); !errors.Is(err, ErrVanished) {
		t.Errorf("after the removal: %v, want ErrVanished", err)
	}
}

// A table that ends because its device is being removed is not one that is
// shorter: the kernel removes its files from the first one on.
func TestGIDsVanish(t *testing.T) {
	for _, kept := range []int{0, 3} {
		fs := open(t, gidTree(8, nil))["live"]
		r, err := openTable(t, fs)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		err = r.eachSlot(t.Context(), func(slot int) (bool, error) {
			if slot == kept {
				if err := os.RemoveAll(filepath.Join(fs.root, "class/infiniband/x/ports/1/gids")); err != nil {
					t.Fatal(err)
				}
			}
			return r.slot(slot)
		})
		if !errors.Is(err, ErrVanished) {
			t.Errorf("after %d slots: %v, want ErrVanished", kept, err)
		}
	}
}

func TestPortNetdev(t *testing.T) {
	for name, fs := range open(t, gidTree(8, map[int][3]string{3: {"fe80::1", "RoCE v2", ""}, 5: {"fe80::1", "RoCE v2", "eth0"}, 6: {"fe80::1", "RoCE v2", "eth1"}})) {
		got, err := fs.PortNetdev(t.Context(), "x", 1)
		// On a plain directory a missing file is the end of the table; the kernel's has no gaps.
		if want := map[string]string{"copied": "eth0", "live": ""}[name]; got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for name, fs := range open(t, gidTree(8, map[int][3]string{0: {"fe80::1", "RoCE v2", "eth7"}})) {
		if got, err := fs.PortNetdev(t.Context(), "x", 1); got != "eth7" || err != nil {
			t.Errorf("%s: got %q, %v, want eth7", name, got, err)
		}
	}
}

func TestCharDevs(t *testing.T) {
	for name, fs := range open(t, sysfstest.Tree{
		"class/infiniband_verbs/uverbs0":                 "-> ../../devices/virtual/infiniband_verbs/uverbs0",
		"class/infiniband_verbs/abi_version":             "6\n",
		"devices/virtual/infiniband_verbs/uverbs0/ibdev": "x\n",
		"class/infiniband_mad/umad0/ibdev":               "x\n",
		"class/infiniband_mad/issm0/ibdev":               "x\n",
		"class/infiniband_mad/umad1/ibdev":               "y\n",
		"class/infiniband_mad/umad2/port":                "1\n",
	}) {
		got, warnings := fs.CharDevs()
		want := map[string][]string{
			"x": {"/dev/infiniband/issm0", "/dev/infiniband/umad0", "/dev/infiniband/uverbs0"},
			"y": {"/dev/infiniband/umad1"},
		}
		if len(warnings) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", name, got, warnings)
		}
	}
}

// An empty slot must cost nothing but its three system calls.
func TestEmptySlotsDoNotAllocate(t *testing.T) {
	fs := open(t, gidTree(512, nil))["live"]
	r, err := openTable(t, fs)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if n := testing.AllocsPerRun(20, func() {
		if more, err := r.slot(200); !more || err != nil {
			t.Fatal(more, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGIDs(b *testing.B) {
	root := gidTree(1024, map[int][3]string{0: {"fe80::1", "RoCE v2", "eth0"}, 1: {"::ffff:192.0.2.1", "RoCE v2", "eth0"}}).Write(b)
	fs := &FS{root: root}
	b.ReportAllocs()
	for b.Loop() {
		if table, _, err := fs.GIDs(b.Context(), "x", 1, false); err != nil || len(table.Entries) != 2 {
			b.Fatal(table, err)
		}
	}
}

// A part of the table ends after a gap above the floor, and not before. What is known
// of it makes no difference.
func TestUsedGIDs(t *testing.T) {
	used := [3]string{"::ffff:192.0.2.1", "RoCE v2", "eth0"}
	root := gidTree(64, map[int][3]string{0: used, 5: used, 9: used, 30: used}).Write(t)
	known := func(typ rdma.GIDType, slots ...uint32) (list []rdma.GIDEntry) {
		for _, slot := range slots {
			list = append(list, entry(t, slot, used[0], typ, used[2], rdma.Opt[bool]{}))
		}
		return list
	}
	for _, tt := range []struct{ floor, gap, slots, entries int }{
		{0, 3, 4, 1}, // 1, 2, 3 are empty
		{0, 4, 5, 1}, // 1 to 4
		{5, 4, 14, 3},
		{30, 5, 36, 4},
		{0, 40, 64, 4},
	} {
		d, err := (&FS{root: root}).OpenDevice("x")
		if err != nil {
			t.Fatal(err)
		}
		var first GIDTable
		for _, known := range [][]rdma.GIDEntry{nil, known("RoCE v2", 0, 5, 9, 30), known("IB/RoCE v1", 0, 5), known("RoCE v2", 1, 2, 9, 60)} {
			got, _, err := d.UsedGIDs(t.Context(), "x", 1, Used{tt.floor, tt.gap, known})
			if err != nil || got.Slots != tt.slots || len(got.Entries) != tt.entries {
				t.Errorf("floor %d, gap %d: %d slots, %d entries, %v; want %d and %d", tt.floor, tt.gap, got.Slots, len(got.Entries), err, tt.slots, tt.entries)
			}
			if first.Entries == nil {
				first = got
			}
			if !reflect.DeepEqual(got, first) {
				t.Errorf("floor %d, gap %d, with %+v known: %+v, without %+v", tt.floor, tt.gap, known, got, first)
			}
		}
		d.Close()
	}
}

// An entry is as it was only if nothing of it is new.
func TestKnownEntries(t *testing.T) {
	e := entry(t, 5, "::ffff:192.0.2.1", "RoCE v2", "eth0", rdma.Opt[bool]{})
	u := Used{Known: []rdma.GIDEntry{e}}
	other := []rdma.GIDEntry{e, e, e, e}
	other[0].Index, other[1].Type, other[2].Netdev, other[3].GID[15] = 4, "IB/RoCE v1", "eth1", 9
	for _, o := range other {
		if u.knows(o) {
			t.Errorf("%+v is taken for known", o)
		}
	}
	if !u.knows(e) {
		t.Error("an entry as it was is not known")
	}
	if e.Index = 6; u.knows(e) {
		t.Error("an entry behind all that is known is known")
	}
}

// A table is the same while each slot holds its GID, however many slots there are.
func TestSameGIDs(t *testing.T) {
	first := [3]string{"::ffff:192.0.2.1", "RoCE v2", "eth0"}
	used := map[int][3]string{0: first, 5: first, 9: {"fe80::1", "RoCE v2", "eth0"}}
	table := func(slots int, used map[int][3]string) (*Device, GIDTable) {
		d, err := (&FS{root: gidTree(slots, used).Write(t)}).OpenDevice("x")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		out, _, err := d.GIDs(t.Context(), "x", 1, false)
		if err != nil {
			t.Fatal(err)
		}
		return d, out
	}
	d, had := table(16, used)
	if same, err := d.SameGIDs(t.Context(), 1, had); !same || err != nil {
		t.Errorf("a table is not the same as itself: %v", err)
	}
	for what, change := range map[string]func() (*Device, GIDTable){
		"one more":        func() (*Device, GIDTable) { used[15] = first; return table(16, used) },
		"one less":        func() (*Device, GIDTable) { delete(used, 9); return table(16, used) },
		"another address": func() (*Device, GIDTable) { used[5] = used[9]; return table(16, used) },
		"more slots":      func() (*Device, GIDTable) { return table(17, used) },
		"fewer slots":     func() (*Device, GIDTable) { return table(15, used) },
	} {
		before := maps.Clone(used)
		d, _ := change()
		used = before
		if same, err := d.SameGIDs(t.Context(), 1, had); same || err != nil {
			t.Errorf("%s: same %v, %v", what, same, err)
		}
	}
}
