package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/sysfs"
)

func openHost(t testing.TB, opts host.Options) *host.Host {
	t.Helper()
	h, err := host.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func devices(t testing.TB, h *host.Host) []rdma.Device {
	t.Helper()
	all, warnings, err := h.Devices(t.Context())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("devices: %v, %v", warnings, err)
	}
	return all
}

// TestHostPathMTU steps a netdev's MTU through all edges of soft RoCE's rule:
// what is derived must be what libibverbs is told.
func TestHostPathMTU(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}},
	}.Up(t)
	h := openHost(t, host.Options{Detail: host.Summary})
	for _, mtu := range []int{100, 335, 336, 591, 592, 1103, 1104, 1500, 2127, 2128, 4175, 4176, 9000} {
		run(t, "ip", "link", "set", "eth0", "mtu", strconv.Itoa(mtu))
		p := devices(t, h)[0].Ports[0]
		verbs := verbsNumbers(t, "rxe0")
		if p.ActiveMTU != verbs["active_mtu"] || p.MaxMTU != verbs["max_mtu"] {
			t.Errorf("netdev MTU %d: active %v, max %v; ibv_devinfo says %v", mtu, p.ActiveMTU, p.MaxMTU, verbs)
		}
	}
}

var verbsLine = regexp.MustCompile(`(?m)^\s*(\w+):\s*(\d+)`)

// verbsNumbers returns what ibv_devinfo says of a device and its port.
func verbsNumbers(t testing.TB, device string) map[string]rdma.Opt[uint32] {
	t.Helper()
	numbers := map[string]rdma.Opt[uint32]{}
	for _, m := range verbsLine.FindAllStringSubmatch(run(t, "ibv_devinfo", "-d", device), -1) {
		if n, err := strconv.ParseUint(m[2], 10, 32); err == nil {
			numbers[m[1]] = rdma.Known(uint32(n))
		}
	}
	return numbers
}

// TestHostSysfsAlone: what sysfs tells where there is no nldev is what nldev
// tells, as far as it goes.
func TestHostSysfsAlone(t *testing.T) {
	lab.Demo().Up(t)
	fs := sysfs.Live()
	for _, want := range devices(t, openHost(t, host.Options{})) {
		got := rdma.Device{Name: want.Name}
		if warnings, err := fs.Complete(&got, sysfs.Full); err != nil || len(warnings) > 0 {
			t.Fatal(warnings, err)
		}
		if got.NodeGUID != want.NodeGUID || got.SysImageGUID != want.SysImageGUID || got.NodeType != want.NodeType || got.Driver != "rxe" {
			t.Errorf("%s: %+v, want %+v", want.Name, got, want)
		}
		a, b := got.Ports[0], want.Ports[0]
		if a.State != b.State || a.PhysState != b.PhysState || a.LinkLayer != b.LinkLayer || a.RateGbps != b.RateGbps {
			t.Errorf("%s: %+v, want %+v", want.Name, a, b)
		}
		name, err := fs.PortNetdev(t.Context(), want.Name, 1)
		if err != nil || b.Netdev != "" && name != b.Netdev && name != "bond0" {
			t.Errorf("%s: netdev %q, %v, want %q", want.Name, name, err, b.Netdev)
		}
	}
}

// TestHostCharDevs holds the walk of our own against rdmamap's, which host asks
// about few devices, and both against /dev.
func TestHostCharDevs(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}},
	}.Up(t)
	all, warnings := sysfs.Live().CharDevs()
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	for _, d := range devices(t, openHost(t, host.Options{})) {
		if got := all[d.Name]; !slices.Equal(got, d.CharDevs) || len(got) == 0 {
			t.Errorf("%s: %v, rdmamap says %v", d.Name, got, d.CharDevs)
		}
		for _, path := range d.CharDevs {
			run(t, "test", "-c", path)
		}
	}
}

// TestHostSelectUpper: netdevs that are no port's own.
func TestHostSelectUpper(t *testing.T) {
	lab.Topology{
		Links: []lab.Link{
			{Name: "bond0", Kind: lab.Bond{Mode: "active-backup"}, Addrs: []string{"192.0.2.1/24"}},
			{Name: "eth0", Kind: lab.Dummy{}, Master: "bond0"}, {Name: "eth1", Kind: lab.Dummy{}, Master: "bond0"},
			{Name: "eth2", Kind: lab.Dummy{}}, {Name: "eth3", Kind: lab.Dummy{}},
			{Name: "vlan7", Kind: lab.VLAN{Parent: "eth2", ID: 7}, Addrs: []string{"198.51.100.1/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxe0", Netdev: "eth0"}, {Name: "rxe1", Netdev: "eth1"}, {Name: "rxe2", Netdev: "eth2"}},
	}.Up(t)
	h := openHost(t, host.Options{})
	list := devices(t, h)
	if s, err := h.Select(t.Context(), list, "vlan7"); err != nil || s.Device.Name != "rxe2" {
		t.Errorf("vlan7: %+v, %v", s, err)
	}
	var a *host.AmbiguousError
	if _, err := h.Select(t.Context(), list, "bond0"); !errors.As(err, &a) || !slices.Equal(a.Candidates, []string{"rxe0", "rxe1"}) {
		t.Errorf("bond0: %v", err)
	}
	for _, name := range []string{"eth3", "nonesuch", "lo"} {
		if s, err := h.Select(t.Context(), list, name); !errors.Is(err, host.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestHostInNamespace: a host opened in a namespace keeps to it, whichever
// thread asks.
func TestHostInNamespace(t *testing.T) {
	n := lab.Demo().Up(t)
	var h *host.Host
	if err := n.In("blue", func() (err error) {
		h, err = host.Open(host.Options{Detail: host.Summary})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, d := range devices(t, h) {
		want := ""
		if d.Name == "rxe4" {
			want = "veth1"
		}
		p := d.Ports[0]
		if p.Netdev != want || p.NetdevIndex.IsKnown() != (want != "") || p.ActiveMTU.IsKnown() != (want != "") {
			t.Errorf("%s in blue: %+v", d.Name, p)
		}
	}
}

// TestHostUnderChurn reads devices while they come and go: every answer is whole.
func TestHostUnderChurn(t *testing.T) {
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}}, HCAs: []lab.HCA{{Name: "rxe1", Netdev: "eth1"}}}.Up(t)
	h := openHost(t, host.Options{})
	stop, done := make(chan struct{}), make(chan error)
	go func() { done <- churnDevice(stop) }()
	for range 150 {
		all, warnings, err := h.Devices(t.Context())
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, %v", warnings, err)
		}
		if !slices.ContainsFunc(all, func(d rdma.Device) bool { return d.Name == "rxe1" }) {
			t.Errorf("rxe1 is missing: %v", all)
		}
		for _, d := range all {
			if len(d.Ports) != 1 || !d.NodeGUID.IsKnown() || !d.Ports[0].RateGbps.IsKnown() || d.Driver != "rxe" {
				t.Errorf("a part of a device: %+v", d)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// churnDevice makes, renames and removes a device until it is told to stop.
func churnDevice(stop <-chan struct{}) error {
	for {
		for _, command := range []string{"rdma link add rxe0 type rxe netdev eth0", "rdma dev set rxe0 name hca0", "rdma link del hca0"} {
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", command, err, out)
			}
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// TestNLDevErrors: the kernel's refusals are told apart.
func TestNLDevErrors(t *testing.T) {
	lab.Demo().Up(t)
	c, err := nldev.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Device(t.Context(), 0x7ffffff0); !errors.Is(err, nldev.ErrNoDevice) {
		t.Errorf("GET: %v", err)
	}
	if _, err := c.Ports(t.Context(), 0x7ffffff0); !errors.Is(err, nldev.ErrNoDevice) {
		t.Errorf("PORT_GET: %v", err)
	}
	if _, err := c.System(t.Context()); err != nil {
		t.Errorf("SYS_GET: %v", err)
	}
	series, _ := lab.Inside()
	m, err := c.Monitor(t.Context())
	if old := series == "6.1"; old != errors.Is(err, nldev.ErrUnsupported) || !old && err != nil {
		t.Fatalf("Monitor: %v", err)
	}
	if err != nil {
		return
	}
	defer m.Close()
	run(t, "rdma", "dev", "set", "rxe0", "name", "hca0")
	run(t, "rdma", "link", "del", "hca0")
	for {
		events, err := m.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Type == nldev.EventUnregister {
				if !strings.HasSuffix(e.Name, "0") || !e.Index.IsKnown() {
					t.Errorf("%+v", e)
				}
				return
			}
		}
	}
}

// TestListLeavesNobodyOut lists devices while older ones go. The kernel's own list is by position, and leaves out a
// device that stays when one before it goes meanwhile; ibctl's does not. The device that stays is the youngest.
func TestListLeavesNobodyOut(t *testing.T) {
	topology := lab.Topology{Links: []lab.Link{{Name: "stays", Kind: lab.Dummy{}}}}
	older := []string{"old0", "old1", "old2", "old3"}
	for _, name := range older {
		topology.Links = append(topology.Links, lab.Link{Name: name, Kind: lab.Dummy{}})
	}
	topology.Up(t)
	conn, err := nldev.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read from
	kernel := leftOut{list: func() (names []string, err error) {
		links, err := netlink.RdmaLinkList()
		for _, l := range links {
			names = append(names, l.Attrs.Name)
		}
		return names, err
	}}
	ours := leftOut{list: func() (names []string, err error) {
		all, err := conn.Devices(t.Context())
		for _, d := range all {
			names = append(names, d.Name)
		}
		return names, err
	}}
	for range soak.Times(6, 200) {
		listWhileOthersGo(t, older, &kernel, &ours)
	}
	t.Logf("the kernel's list left it out %d times of %d, ibctl's %d of %d", kernel.missing, kernel.lists, ours.missing, ours.lists)
	if ours.missing > 0 {
		t.Errorf("%d lists were without a device that was there", ours.missing)
	}
}

// listWhileOthersGo makes the older devices, then one that stays, and lists while the older ones go.
func listWhileOthersGo(t *testing.T, older []string, lists ...*leftOut) {
	for _, name := range append(slices.Clone(older), "stays") {
		if err := netlink.RdmaLinkAdd("rxe_"+name, "rxe", name); err != nil {
			t.Fatal(err)
		}
	}
	func() {
		var stop atomic.Bool
		var listing sync.WaitGroup
		defer listing.Wait()
		defer stop.Store(true)
		for _, l := range lists {
			listing.Go(func() { l.look(t, "rxe_stays", &stop) })
		}
		for _, name := range older {
			run(t, "rdma", "link", "del", "rxe_"+name)
		}
	}()
	run(t, "rdma", "link", "del", "rxe_stays")
}

// leftOut counts the lists in which a device is missing.
type leftOut struct {
	list           func() ([]string, error)
	lists, missing int
}

func (l *leftOut) look(t testing.TB, name string, stop *atomic.Bool) {
	for !stop.Load() {
		names, err := l.list()
		if err != nil {
			t.Errorf("list: %v", err)
			return
		}
		l.lists++
		if !slices.Contains(names, name) {
			l.missing++
		}
	}
}
