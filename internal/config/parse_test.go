package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

var builtin = []string{"roce", "cm"}

const everything = `
group: rdma
events: 100
clients:
  - roce
  - name: cm
  - name: acme
    path: /usr/libexec/ibctl/acme
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF
    args: [--rail, 2]
    env: {ZED: 1, ACME: "x y"}
    host_pids: yes
    config: {limit: 3, names: [a, b]}
cm:
  defaults:
    - {device: "mlx5_*", tos: 0x6a}
    - {device: 248a:0703:00a5:29d0, port: 1, roce_mode: v1, dscp: 26}
    - {device: 0000:3b:00.0, roce_mode: RoCE v2}
limits: {start: 1s, add: 2s, change: 3s, remove: 4s, stop: 1m}
`

func TestParse(t *testing.T) {
	conf, problems := Parse([]byte(everything), builtin)
	if problems != nil {
		t.Fatal(problems)
	}
	want := Config{
		Group:  "rdma",
		Events: 100,
		Clients: []Client{
			{Name: "roce"},
			{Name: "cm"},
			{
				Name: "acme", Path: "/usr/libexec/ibctl/acme",
				SHA256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF",
				Args:   []string{"--rail", "2"}, Env: []string{"ACME=x y", "ZED=1"}, HostPIDs: true,
				Config: []byte(`{"limit":3,"names":["a","b"]}`),
			},
		},
		CM: CM{Defaults: []CMDefault{
			{Device: "mlx5_*", TOS: rdma.Known(uint8(0x6a))},
			{Device: "248a:0703:00a5:29d0", Port: rdma.Known(uint32(1)), RoCEMode: "IB/RoCE v1", TOS: rdma.Known(uint8(26 << 2))},
			{Device: "0000:3b:00.0", RoCEMode: "RoCE v2"},
		}},
		Limits: Limits{Start: time.Second, Add: 2 * time.Second, Change: 3 * time.Second, Remove: 4 * time.Second, Stop: time.Minute},
	}
	if !reflect.DeepEqual(conf, want) {
		t.Errorf("got  %+v\nwant %+v", conf, want)
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "# a comment\n", "---\n", "{}", "clients:\nlimits:\n"} {
		conf, problems := Parse([]byte(text), builtin)
		if problems != nil || len(conf.Clients) != 0 {
			t.Errorf("%q: %+v, %v", text, conf, problems)
		}
	}
}

// Every mistake is named with its line and its key.
func TestParseProblems(t *testing.T) {
	tests := []struct{ what, text, want string }{
		{"unknown key", "group: x\ngruop: y\n", "line 2: gruop: unknown key; there is group, clients, cm, limits, events"},
		{"unknown key inside", "clients:\n  - name: acme\n    path: /a\n    sha265: x\n", "line 4: clients[0].sha265: unknown key"},
		{"key given twice", "group: x\ngroup: y\n", "line 2: group: given twice, first in line 1"},
		{"not a mapping", "- a\n", "line 1: want a mapping of group"},
		{"not a list", "clients: roce\n", "line 1: clients: want a list"},
		{"no text", "group: [x]\n", "line 1: group: want a text"},
		{"syntax", "group: x\n  y: z\n", "line 2: mapping values are not allowed"},
		{"second document", "group: x\n---\ngroup: y\n", "one YAML document"},
		{"no duration", "limits: {add: 10}\n", "line 1: limits.add: want a time above zero with its unit"},
		{"negative duration", "limits: {add: -1s}\n", "limits.add: want a time"},
		{"number out of range", "events: 0\n", "line 1: events: want a whole number from 1 to"},
		{"number with a point", "events: 1.5\n", "events: want a whole number"},
		{"client without a name", "clients: [{path: /x}]\n", "clients[0]: has no name"},
		{"bad name", "clients: [{name: A/B, path: /x}]\n", `clients[0]: "A/B" is no name for a client`},
		{"unknown client", "clients: [rocee]\n", "clients[0]: client rocee is not built in, and has no path; built in: roce, cm"},
		{"client twice", "clients: [roce, roce]\n", "clients[1]: client roce is in the list already"},
		{"built-in name taken", "clients: [{name: roce, path: /x}]\n", "clients[0]: client roce is built in"},
		{"relative path", "clients: [{name: a, path: x}]\n", "path x of client a is not absolute"},
		{"bad checksum", "clients: [{name: a, path: /x, sha256: abc}]\n", "sha256 of client a is not 64"},
		{"bad variable", "clients: [{name: a, path: /x, env: {1X: y}}]\n", `clients[0].env: "1X" is no name`},
		{"no device", "cm: {defaults: [{tos: 1}]}\n", "cm.defaults[0]: has no device"},
		{"bad pattern", "cm: {defaults: [{device: '[', tos: 1}]}\n", "cm.defaults[0]: device \"[\": a pattern"},
		{"nothing set", "cm: {defaults: [{device: a}]}\n", "cm.defaults[0]: sets nothing"},
		{"tos and dscp", "cm: {defaults: [{device: a, tos: 0, dscp: 0}]}\n", "cm.defaults[0]: has tos and dscp"},
		{"tos too large", "cm: {defaults: [{device: a, tos: 256}]}\n", "cm.defaults[0].tos: want a whole number from 0 to 255"},
		{"unknown mode", "cm: {defaults: [{device: a, roce_mode: v3}]}\n", "cm.defaults[0].roce_mode: want v1 or v2"},
		{"defaults without cm", "clients: [roce]\ncm: {defaults: [{device: a, tos: 1}]}\n", "the client cm, which would set them"},
	}
	for _, tt := range tests {
		_, problems := Parse([]byte(tt.text), builtin)
		found := slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), tt.want) })
		if !found {
			t.Errorf("%s: %v, want %q", tt.what, problems, tt.want)
		}
	}
}

// One mistake does not hide the next.
func TestParseReportsAll(t *testing.T) {
	_, problems := Parse([]byte("evnets: 1\ngroup: [a]\nlimits: {add: x}\n"), builtin)
	if len(problems) != 3 {
		t.Fatalf("%d problems, want 3: %v", len(problems), problems)
	}
	for i, p := range problems {
		if p.Line != i+1 {
			t.Errorf("problem %d is in line %d: %v", i, p.Line, p)
		}
	}
}

// Whatever the file holds, there is a configuration or a reason.
func FuzzParse(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("a: &a [*a]\nclients: *a\n"))
	f.Add([]byte("clients: [{name: x, path: /x, config: &c {a: *c}}]"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("<<: {group: x}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		conf, problems := Parse(text, builtin)
		if len(problems) > 0 && !reflect.DeepEqual(conf, Config{}) {
			t.Errorf("a configuration beside %v", problems)
		}
		for _, c := range conf.Clients {
			if !clientName().MatchString(c.Name) {
				t.Errorf("client %q", c.Name)
			}
		}
	})
}

// The manual's example is a configuration.
func TestManualExample(t *testing.T) {
	page, err := os.ReadFile("../../man/ibctl.conf.5")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), ".Sh EXAMPLES\n.Bd -literal\n")
	text, _, found := strings.Cut(text, ".Ed\n")
	if !found {
		t.Fatal("there is no example")
	}
	if conf, problems := Parse([]byte(text), builtin); problems != nil || len(conf.Clients) != 3 {
		t.Errorf("%+v, %v", conf, problems)
	}
}

// Every key is explained.
func TestManualHasEveryKey(t *testing.T) {
	page, err := os.ReadFile("../../man/ibctl.conf.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strings.Fields("group clients cm limits events name path sha256 args env host_pids config defaults device port roce_mode tos dscp start add change remove stop") {
		if !regexp.MustCompile(`(?m)^\.(It )?Cm .*\b` + key + `\b`).Match(page) {
			t.Errorf("%s is not explained", key)
		}
	}
}
