package e2e

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/internal/lab"
)

// state is what a test must leave as it found it.
type state struct {
	links, devices []string
	namespaces     string
	mode           string
}

func takeState(t *testing.T) state {
	return state{
		links:      slices.Sorted(maps.Keys(ipLinks(t, ""))),
		devices:    slices.Sorted(maps.Keys(rdmaLinks(t, ""))),
		namespaces: run(t, "ip", "netns"),
		mode:       run(t, "rdma", "system"),
	}
}

func (s state) check(t *testing.T, before state) {
	t.Helper()
	if !slices.Equal(s.links, before.links) || !slices.Equal(s.devices, before.devices) ||
		s.namespaces != before.namespaces || s.mode != before.mode {
		t.Errorf("left behind:\n%+v\nwhere before there was\n%+v", s, before)
	}
}

func TestLabRemovesEverything(t *testing.T) {
	before := takeState(t)
	if len(before.devices) > 0 {
		t.Errorf("an earlier test left %v", before.devices)
	}
	t.Run("topology", func(t *testing.T) { lab.Demo().Up(t) })
	takeState(t).check(t, before)

	t.Run("changed", func(t *testing.T) {
		lab.Demo().Up(t)
		run(t, "rdma", "dev", "set", "rxe0", "name", "renamed")
		run(t, "ip", "link", "set", "eth3", "down") // Linux 6.1 renames no other
		run(t, "ip", "link", "set", "eth3", "name", "lan3")
		run(t, "rdma", "link", "del", "rxe1")
		run(t, "ip", "link", "del", "bond0")
		run(t, "ip", "link", "add", "extra", "type", "dummy")
		run(t, "rdma", "link", "add", "rxe9", "type", "rxe", "netdev", "extra")
	})
	takeState(t).check(t, before)

	t.Run("exclusive", func(t *testing.T) {
		lab.Topology{Exclusive: true, Namespaces: []string{"blue", "red"}}.Up(t)
	})
	takeState(t).check(t, before)
}

func TestLabSaysWhatFailed(t *testing.T) {
	onOneKernel(t)
	before := takeState(t)
	eth0 := lab.Link{Name: "eth0", Kind: lab.Dummy{}}
	for _, c := range []struct {
		name  string
		tp    lab.Topology
		item  string
		errno error
	}{
		{"duplicate namespace", lab.Topology{Namespaces: []string{"blue", "blue"}}, "namespace blue", os.ErrExist},
		{"duplicate link", lab.Topology{Links: []lab.Link{eth0, eth0}}, "link eth0 (dummy)", syscall.EEXIST},
		{"missing parent", lab.Topology{Links: []lab.Link{{Name: "v", Kind: lab.VLAN{Parent: "eth9", ID: 5}}}}, "link v (vlan 5 on eth9): parent eth9", nil},
		{"missing namespace", lab.Topology{Links: []lab.Link{{Name: "v", Kind: lab.Dummy{}, Netns: "red"}}}, "no namespace red", nil},
		{"missing master", lab.Topology{Links: []lab.Link{{Name: "v", Kind: lab.Dummy{}, Master: "br9"}}}, "master br9", nil},
		{"bond mode", lab.Topology{Links: []lab.Link{{Name: "b", Kind: lab.Bond{Mode: "best"}}}}, `no bond mode "best"`, nil},
		{"macvlan mode", lab.Topology{Links: []lab.Link{eth0, {Name: "m", Kind: lab.Macvlan{Parent: "eth0", Mode: "best"}}}}, `no macvlan mode "best"`, nil},
		{"address", lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}, Addrs: []string{"1.2.3/24"}}}}, "address 1.2.3/24", nil},
		{"missing netdev", lab.Topology{HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth9"}}}, "HCA rxe0 on eth9", nil},
		{"two on one netdev", lab.Topology{
			Links: []lab.Link{eth0},
			HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth0"}},
		}, "HCA rxe1 on eth0", syscall.EEXIST},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := c.tp.Build()
			if err == nil {
				t.Fatalf("no error; %v", n.Close())
			}
			if !strings.Contains(err.Error(), c.item) || c.errno != nil && !errors.Is(err, c.errno) {
				t.Errorf("error %q; want %q and %v", err, c.item, c.errno)
			}
			takeState(t).check(t, before)
		})
	}
}
