package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
)

// gidRow is a slot of a table, as comparisons want it: absent fields are empty.
type gidRow struct {
	device, port, index, gid, kind, netdev string
}

// TestCLIGIDAgreesWithSysfs compares every slot of every table, from every
// namespace, with what the files say there.
func TestCLIGIDAgreesWithSysfs(t *testing.T) {
	onOldestAndNewest(t)
	cliTopology().Up(t)
	for _, netns := range []string{"", "blue"} {
		t.Run("netns="+netns, func(t *testing.T) {
			compareRows(t, ibctlGIDs(t, netns), sysfsGIDs(t, netns))
		})
	}
}

// TestCLIGIDAgreesWithIbvDevinfo compares with what libibverbs gets from the
// kernel through a verbs device. It does not know netdevs.
func TestCLIGIDAgreesWithIbvDevinfo(t *testing.T) {
	cliTopology().Up(t)
	rows := ibctlGIDs(t, "")
	for i := range rows {
		rows[i].netdev = ""
	}
	compareRows(t, rows, verbsGIDs(t))
}

func compareRows(t *testing.T, have, want []gidRow) {
	t.Helper()
	if len(want) < 20 {
		t.Fatalf("the oracle knows %d GIDs, which proves little: %v", len(want), want)
	}
	for _, r := range have {
		if !slices.Contains(want, r) {
			t.Errorf("ibctl alone says %+v", r)
		}
	}
	for _, r := range want {
		if !slices.Contains(have, r) {
			t.Errorf("ibctl does not say %+v", r)
		}
	}
	if len(have) != len(want) {
		t.Errorf("ibctl says %d GIDs, the oracle %d", len(have), len(want))
	}
}

func ibctlGIDs(t testing.TB, netns string) []gidRow {
	t.Helper()
	items := ibctlItems(t, netns, "gid", "show")
	var rows []gidRow
	for _, g := range items {
		rows = append(rows, gidRow{field(g, "device"), field(g, "port"), field(g, "index"), field(g, "gid"), field(g, "type"), field(g, "netdev")})
		checkIPv4(t, g)
	}
	checkDefaults(t, items)
	return rows
}

func field(o object, key string) string {
	if o[key] == nil {
		return ""
	}
	return fmt.Sprint(o[key])
}

// checkIPv4 checks the IPv4 address within a GID, which no file says.
func checkIPv4(t testing.TB, g object) {
	t.Helper()
	gid := field(g, "gid")
	var want string
	if v4, mapped := strings.CutPrefix(gid, "0000:0000:0000:0000:0000:ffff:"); mapped {
		b, err := strconv.ParseUint(strings.ReplaceAll(v4, ":", ""), 16, 32)
		if err != nil {
			t.Errorf("GID %s: %v", gid, err)
		}
		want = fmt.Sprintf("%d.%d.%d.%d", b>>24, b>>16&255, b>>8&255, b&255)
	}
	if field(g, "ipv4") != want {
		t.Errorf("GID %s: ipv4 %v, want %q", gid, g["ipv4"], want)
	}
}

// checkDefaults checks what no file says: the first slots of a port, one for each
// type that it has, are those of the default GIDs.
func checkDefaults(t testing.TB, items []object) {
	t.Helper()
	types := map[string]map[string]bool{}
	for _, g := range items {
		port := field(g, "device") + "/" + field(g, "port")
		if types[port] == nil {
			types[port] = map[string]bool{}
		}
		types[port][field(g, "type")] = true
	}
	for _, g := range items {
		index, err := strconv.Atoi(field(g, "index"))
		want := index < len(types[field(g, "device")+"/"+field(g, "port")])
		if err != nil || g["default"] != want {
			t.Errorf("%v: default %v, want %v", g, g["default"], want)
		}
	}
}

// sysfsGIDs reads the tables the way a shell loop would, in a namespace.
func sysfsGIDs(t testing.TB, netns string) []gidRow {
	t.Helper()
	const script = `cd /sys/class/infiniband && grep -H . */ports/*/gids/* */ports/*/gid_attrs/types/* */ports/*/gid_attrs/ndevs/* 2>/dev/null; true`
	name, args := "sh", []string{"-c", script}
	if netns != "" {
		name, args = "ip", append([]string{"netns", "exec", netns, "sh"}, args...)
	}
	files := map[string]string{}
	for line := range strings.Lines(run(t, name, args...)) {
		file, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		files[file] = value
	}
	return rowsOf(files)
}

func rowsOf(files map[string]string) []gidRow {
	const empty = "0000:0000:0000:0000:0000:0000:0000:0000"
	var rows []gidRow
	for file, gid := range files {
		port, index := filepath.Dir(filepath.Dir(file)), filepath.Base(file)
		if filepath.Base(filepath.Dir(file)) != "gids" || gid == empty {
			continue
		}
		rows = append(rows, gidRow{
			strings.Split(port, "/")[0], filepath.Base(port), index, gid,
			files[port+"/gid_attrs/types/"+index], files[port+"/gid_attrs/ndevs/"+index],
		})
	}
	return rows
}

var (
	verbsDevice = regexp.MustCompile(`^hca_id:\s*(\S+)`)
	verbsPort   = regexp.MustCompile(`^\s*port:\s*(\d+)`)
	verbsGID    = regexp.MustCompile(`^\s*GID\[\s*(\d+)\]:\s*([0-9a-f:.]+)(?:, (.*))?`)
)

// verbsGIDs reads ibv_devinfo -v.
func verbsGIDs(t testing.TB) []gidRow {
	t.Helper()
	var rows []gidRow
	var device, port string
	for s := bufio.NewScanner(strings.NewReader(run(t, "ibv_devinfo", "-v"))); s.Scan(); {
		if m := verbsDevice.FindStringSubmatch(s.Text()); m != nil {
			device = m[1]
		} else if m := verbsPort.FindStringSubmatch(s.Text()); m != nil {
			port = m[1]
		} else if m := verbsGID.FindStringSubmatch(s.Text()); m != nil {
			rows = append(rows, gidRow{device: device, port: port, index: m[1], gid: fullGID(t, m[2]), kind: verbsType(m[3])})
		}
	}
	return rows
}

// fullGID writes a GID with all its groups, which ibv_devinfo shortens.
func fullGID(t testing.TB, text string) string {
	t.Helper()
	gid, err := rdma.ParseGID(text)
	if err != nil {
		t.Errorf("ibv_devinfo: %v", err)
	}
	return gid.String()
}

// verbsType returns the kernel's text for ibv_devinfo's.
func verbsType(text string) string {
	if text == "RoCE v1" || text == "IB" || text == "" {
		return "IB/RoCE v1"
	}
	return text
}

// TestCLIGIDFilters: each filter lets through what the whole list has of it.
func TestCLIGIDFilters(t *testing.T) {
	onOneKernel(t)
	cliTopology().Up(t)
	all := ibctlGIDs(t, "")
	count := func(keep func(gidRow) bool) int {
		return len(slices.DeleteFunc(slices.Clone(all), func(r gidRow) bool { return !keep(r) }))
	}
	for args, want := range map[string]int{
		"gid show --type v2":                 count(func(r gidRow) bool { return r.kind == "RoCE v2" }),
		"gid show --type v1":                 count(func(r gidRow) bool { return r.kind == "IB/RoCE v1" }),
		"gid show --type ib":                 0,
		"gid show --netdev bond0.200":        count(func(r gidRow) bool { return r.netdev == "bond0.200" }),
		"gid show --ip 192.0.2.10":           count(func(r gidRow) bool { return strings.HasSuffix(r.gid, ":ffff:c000:020a") }),
		"gid show rxe0/1":                    count(func(r gidRow) bool { return r.device == "rxe0" }),
		"gid show rxe0/1/0":                  1,
		"gid show eth0 rxe3":                 count(func(r gidRow) bool { return r.device == "rxe0" || r.device == "rxe3" }),
		"gid show rxe0/1 --all":              slots(t, "rxe0"),
		"gid show rxe0 --all --netdev eth0":  count(func(r gidRow) bool { return r.device == "rxe0" && r.netdev == "eth0" }),
		"gid show --ip 2001:db8:0:200::dead": 0,
		"gid show rxe0 rxe0/1 rxe0/1/0":      count(func(r gidRow) bool { return r.device == "rxe0" }),
	} {
		if have := len(ibctlItems(t, "", strings.Fields(args)...)); have != want {
			t.Errorf("ibctl %s: %d GIDs, want %d", args, have, want)
		}
	}
}

func slots(t testing.TB, device string) int {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/infiniband/" + device + "/ports/1/gids")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
