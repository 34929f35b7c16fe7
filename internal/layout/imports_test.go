package layout

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ibctl/ibctl/"

// rule says what a room, and all that lies below it, must never import.
type rule struct {
	room   string
	except []string // rooms below room that have a rule of their own
	never  []string // import paths and all that lies below them
	why    string
}

// goPlugin is the library itself; gRPC is the wire that clients may speak.
const (
	goPlugin = "github.com/hashicorp/go-plugin"
	grpc     = "google.golang.org/grpc"
	urfave   = "github.com/urfave/cli"
	netlink  = "github.com/vishvananda/netlink"
)

// ioPackages do I/O; net/netip, which lies below net, is values alone.
var ioPackages = []string{"os", "net", "net/http", "io/fs", "syscall", "golang.org/x/sys"}

var pure = []string{"net/netip"}

var rules = []rule{
	{room: "core/rdma", never: append([]string{module + "core", module + "internal", module + "plugins", grpc}, ioPackages...),
		why: "value types do no I/O and know nothing above them"},
	{room: "core", except: []string{"core/rdma", "core/plugin"}, never: append([]string{module + "core/plugin", module + "internal", module + "plugins", grpc, goPlugin}, ioPackages...),
		why: "the registry is concurrency and lifetimes alone"},
	{room: "core/plugin", never: []string{module + "internal", module + "plugins", module + "cmd", urfave, netlink},
		why: "a third party imports it"},
	{room: "plugins/roce", never: []string{goPlugin, module + "plugins/cm", module + "internal/supervisor", module + "internal/output", module + "cmd", urfave},
		why: "a client knows neither the runtime beneath it nor other clients"},
	{room: "plugins/roce/gidrules", never: append([]string{module + "core/plugin", module + "internal/sysfs", module + "internal/nldev", module + "internal/netstate/live", grpc, netlink}, ioPackages...),
		why: "rules do no I/O"},
	{room: "plugins/cm", never: []string{goPlugin, module + "plugins/roce", module + "internal/supervisor", module + "internal/host", module + "internal/output", module + "cmd", urfave},
		why: "a client knows neither the runtime beneath it nor other clients"},
	{room: "plugins/example", never: []string{goPlugin, module + "internal", module + "cmd"},
		why: "it stands for code outside this module"},
	{room: "internal/nldev", never: kernelRoomNever("nldev"), why: "one kernel interface each"},
	{room: "plugins/plugintest", never: []string{module + "internal/host", module + "internal/daemon", module + "internal/output", module + "internal/sysfs", module + "internal/nldev", module + "plugins/roce", module + "plugins/cm", module + "cmd", urfave, netlink},
		why: "it knows the contract and the runtime, and no client"},
	{room: "plugins/example", never: []string{module + "internal", module + "cmd", module + "plugins/roce", module + "plugins/cm", goPlugin, grpc},
		why: "a third party can do the same"},
	{room: "internal/sysfs", never: kernelRoomNever("sysfs"), why: "one kernel interface each"},
	{room: "internal/uevent", never: kernelRoomNever("uevent"), why: "one kernel interface each"},
	{room: "internal/configfs", never: kernelRoomNever("configfs"), why: "one kernel interface each"},
	{room: "internal/ucma", never: kernelRoomNever("ucma"), why: "one kernel interface each"},
	{room: "internal/procfs", never: kernelRoomNever("procfs"), why: "one kernel interface each"},
	{room: "internal/iproute", never: kernelRoomNever("iproute"), why: "one kernel interface each"},
	{room: "internal/rtevent", never: kernelRoomNever("rtevent"), why: "one kernel interface each"},
	{room: "internal/sourcegid", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", module + "core/plugin", grpc, goPlugin, urfave, netlink},
		why: "it is a rule of the kernel's, whichever client wants it"},
	{room: "internal/netstate", except: []string{"internal/netstate/live"}, never: append([]string{module + "internal", module + "plugins", module + "core/plugin", grpc, goPlugin, netlink}, ioPackages...),
		why: "values do no I/O"},
	{room: "internal/netstate/live", never: kernelRoomNever("netstate/live"), why: "one kernel interface each"},
	{room: "internal/libenv/source", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", module + "core/plugin", grpc, goPlugin, urfave, netlink},
		why: "it reads what is set, and judges nothing"},
	{room: "internal/libenv", except: []string{"internal/libenv/source"}, never: append([]string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", module + "core/plugin", grpc, goPlugin, urfave, netlink}, ioPackages...),
		why: "it does what libraries do, with what it is given"},
	{room: "internal/inside", never: []string{module + "core", module + "internal", module + "plugins", module + "cmd", grpc, goPlugin, urfave, netlink},
		why: "it goes somewhere, and knows nothing of who goes"},
	{room: "internal/devdir", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "clients open directories with it"},
	{room: "internal/holders", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it reads the kernel and judges, whoever asks"},
	{room: "internal/drained", never: []string{module + "internal", module + "plugins", module + "cmd", grpc, goPlugin, urfave, netlink},
		why: "it remembers, whoever asks"},
	{room: "internal/takedown", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/daemon", module + "internal/api", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it knows no more of ibctl serve than that clients can be taken off"},
	{room: "internal/counters", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it puts together what the kernel counts, whoever asks"},
	{room: "internal/resources", never: []string{module + "internal/host", module + "internal/sysfs", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it reads objects and their owners, whoever asks"},
	{room: "internal/subsystem", never: []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it asks the kernel, whoever wants to know"},
	{room: "internal/host", never: []string{module + "internal/output", module + "internal/supervisor", module + "cmd", module + "plugins", grpc, goPlugin, urfave},
		why: "it feeds the registry and is asked by the rest"},
	{room: "internal/supervisor", never: []string{module + "internal/output", module + "internal/host", module + "internal/sysfs", module + "internal/nldev", module + "plugins", module + "cmd", urfave, netlink},
		why: "it runs processes and does not know what a GID is"},
	{room: "internal/journal", never: []string{module + "internal", module + "plugins", module + "cmd", grpc, goPlugin, "net", "syscall", "golang.org/x/sys"},
		why: "it keeps what it is told"},
	{room: "internal/config", never: []string{module + "internal", module + "plugins", module + "cmd", grpc, goPlugin, urfave},
		why: "it reads one file"},
	{room: "internal/api", never: []string{module + "internal/daemon", module + "internal/supervisor", module + "internal/host", module + "internal/output", module + "plugins", module + "cmd", goPlugin, urfave, netlink},
		why: "it is the language of both ends"},
	{room: "internal/daemon", never: []string{module + "internal/output", module + "internal/nldev", module + "internal/sysfs", module + "internal/uevent", module + "plugins", module + "cmd", goPlugin, urfave, netlink},
		why: "it passes questions on and does not know what a GID is"},
	{room: "internal/output", never: []string{module + "internal", module + "plugins", module + "cmd", grpc, goPlugin, netlink, "syscall", "golang.org/x/sys"},
		why: "it formats what it is given"},
	{room: "cmd/ibctl", never: []string{netlink, module + "internal/nldev", module + "internal/sysfs", module + "internal/uevent", module + "internal/configfs", module + "internal/ucma", module + "internal/procfs", module + "internal/netstate/live"},
		why: "verbs ask the rooms that read the kernel, and do not read it"},
}

// kernelRoomNever is what the room called self must not import: the other
// kernel rooms, and everything that stands on them.
func kernelRoomNever(self string) []string {
	never := []string{module + "internal/host", module + "internal/supervisor", module + "internal/output", module + "plugins", module + "cmd", module + "core/plugin", grpc, goPlugin}
	for _, room := range []string{"nldev", "sysfs", "uevent", "rtevent", "configfs", "ucma", "procfs", "iproute", "netstate/live"} {
		if room != self {
			never = append(never, module+"internal/"+room)
		}
	}
	return never
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages lists the module's packages with what their production code imports.
func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// within tells whether path is room or lies below it.
func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

// covers tells whether path lies in r's room and in none of its exceptions.
func (r rule) covers(path string) bool {
	return within(path, module+r.room) &&
		!slices.ContainsFunc(r.except, func(room string) bool { return within(path, module+room) })
}

// forbids tells whether a package of r's room must not import path. What lies
// in the room itself is always allowed.
func (r rule) forbids(path string) bool {
	if r.covers(path) || slices.Contains(pure, path) {
		return false
	}
	return slices.ContainsFunc(r.never, func(never string) bool { return within(path, never) })
}

// breaches lists the imports of p that r forbids.
func (r rule) breaches(p goPackage) []string {
	var bad []string
	for _, imp := range p.Imports {
		if r.covers(p.ImportPath) && r.forbids(imp) {
			bad = append(bad, imp)
		}
	}
	return bad
}

func TestImportsPointInward(t *testing.T) {
	all := packages(t)
	for _, r := range rules {
		seen := false
		for _, p := range all {
			seen = seen || within(p.ImportPath, module+r.room)
			for _, imp := range r.breaches(p) {
				t.Errorf("%s imports %s, but %s: %s",
					strings.TrimPrefix(p.ImportPath, module), strings.TrimPrefix(imp, module), r.room, r.why)
			}
		}
		if !seen {
			t.Errorf("the rule for %s holds nothing: there is no such room", r.room)
		}
	}
}

// testRooms are the test machinery. The kit shares what tests share.
var testRooms = []string{"internal/bench", "internal/lab", "internal/soak", "plugins/plugintest"}

// TestProductionNeverImportsTests keeps the test machinery out of the binary.
func TestProductionNeverImportsTests(t *testing.T) {
	inTests := func(path string) bool {
		return slices.ContainsFunc(testRooms, func(room string) bool { return within(path, module+room) })
	}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if inTests(imp) && !inTests(p.ImportPath) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

// TestRoomsAreDescribed: ARCHITECTURE.md has a row for each directory of internal, and
// none twice.
func TestRoomsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(string(text)) {
		names, isRow := strings.CutPrefix(line, "| `internal/")
		if !isRow {
			continue
		}
		names, _, _ = strings.Cut(names, " |")
		for name := range strings.SplitSeq(names, ", ") {
			rows[strings.Trim(name, "`")]++
		}
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if rows[e.Name()] != 1 {
			t.Errorf("ARCHITECTURE.md has %d rows for internal/%s", rows[e.Name()], e.Name())
		}
	}
}

func TestRuleFindsABreach(t *testing.T) {
	r := rule{room: "core", except: []string{"core/plugin"}, never: []string{"os", "net", grpc, module + "core/plugin"}}
	tests := []struct {
		pkg     string
		imports []string
		want    []string
	}{
		{"core", []string{"os/exec", "context"}, []string{"os/exec"}},
		{"core", []string{grpc + "/codes"}, []string{grpc + "/codes"}},
		{"core", []string{module + "core/plugin"}, []string{module + "core/plugin"}},
		{"core", []string{module + "core/rdma", "net/netip"}, nil},
		{"core/plugin", []string{"os"}, nil},
		{"corelike", []string{"os"}, nil},
	}
	for _, tt := range tests {
		got := r.breaches(goPackage{module + tt.pkg, tt.imports})
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s importing %v: breaches %v, want %v", tt.pkg, tt.imports, got, tt.want)
		}
	}
}
