package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
)

// gidState is what lies in the tables: slot → "GID type netdev".
type gidState map[string]string

func (s gidState) key() string {
	var all []string
	for _, slot := range slices.Sorted(maps.Keys(s)) {
		all = append(all, slot+" "+s[slot])
	}
	return strings.Join(all, "\n")
}

// gidLine is a line of ibctl gid watch -o jsonl.
type gidLine struct {
	Event, Device, GID, Type, Netdev, Text string
	OldType                                string `json:"old_type"`
	OldNetdev                              string `json:"old_netdev"`
	Port                                   int
	Index                                  int
	OldIndex                               *int `json:"old_index"`
}

// gidWatcher replays what ibctl gid watch tells.
type gidWatcher struct {
	*background
	state  gidState
	seen   map[string]bool // each state that it went through
	missed []string
	events map[string]int
	ready  bool
}

// watchGIDs starts ibctl gid watch and returns when it is ready.
func watchGIDs(t *testing.T, args ...string) *gidWatcher {
	t.Helper()
	w := &gidWatcher{
		background: startProgram(t, "ibctl", append([]string{"gid", "watch", "--present", "-o", "jsonl"}, args...)...),
		state:      gidState{}, seen: map[string]bool{}, events: map[string]int{},
	}
	waitFor(t, "ibctl gid watch to be ready", func() bool { w.take(t); return w.ready })
	return w
}

// take replays the lines that have come by now. Each must fit what came before it.
func (w *gidWatcher) take(t *testing.T) {
	t.Helper()
	for {
		select {
		case line := <-w.lines:
			w.replay(t, line)
		default:
			if !w.alive() && len(w.lines) == 0 {
				t.Fatalf("ibctl gid watch has ended: %v", w.cmd.ProcessState)
			}
			return
		}
	}
}

func (w *gidWatcher) replay(t *testing.T, text string) {
	t.Helper()
	var l gidLine
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	w.events[l.Event]++
	slot := func(index int) string { return fmt.Sprintf("%s/%d/%d", l.Device, l.Port, index) }
	now, from, was := l.GID+" "+l.Type+" "+l.Netdev, slot(l.Index), ""
	switch l.Event {
	case "ready":
		w.ready = true
		return
	case "missed":
		w.missed = append(w.missed, l.Text)
		return
	case "removed":
		was = now
	case "moved":
		from, was = slot(*l.OldIndex), now
	case "changed":
		was = l.GID + " " + or(l.OldType, l.Type) + " " + or(l.OldNetdev, l.Netdev)
	}
	if w.state[from] != was {
		t.Errorf("%s: there was %q", text, w.state[from])
	}
	delete(w.state, from)
	if l.Event != "removed" {
		w.state[slot(l.Index)] = now
	}
	w.seen[w.state.key()] = true
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// tablesOf reads the first slots of tables from sysfs. It is not ok where one changed meanwhile.
func tablesOf(devices ...string) (gidState, bool) {
	state := gidState{}
	for _, device := range devices {
		dir := filepath.Join("/sys/class/infiniband", device, "ports/1")
		for index := range 64 {
			file := func(name string) (string, error) {
				text, err := os.ReadFile(filepath.Join(dir, name, fmt.Sprint(index)))
				return strings.TrimSpace(string(text)), err
			}
			gid, err := file("gids")
			if err != nil || gid == gidText("::") {
				continue
			}
			typ, err1 := file("gid_attrs/types")
			netdev, err2 := file("gid_attrs/ndevs")
			if errors.Join(err1, err2) != nil {
				return nil, false
			}
			state[fmt.Sprintf("%s/1/%d", device, index)] = gid + " " + typ + " " + netdev
		}
	}
	return state, true
}

// changer changes addresses and MACs at random, by netlink and in this process.
type changer struct {
	dice  *rand.Rand
	links []netlink.Link
	addrs []*netlink.Addr
	on    []netlink.Link
}

func (c *changer) change(t *testing.T) {
	t.Helper()
	var err error
	switch n := c.dice.IntN(10); {
	case n == 0:
		mac := net.HardwareAddr{2, 0, 0, 0, 1, byte(c.dice.IntN(250))}
		if err = netlink.LinkSetHardwareAddr(c.links[0], mac); errors.Is(err, unix.EBUSY) {
			err = nil
		}
	case n < 6 && len(c.addrs) < 20:
		link := c.links[c.dice.IntN(len(c.links))]
		text := fmt.Sprintf("10.%d.%d.1/24", 100+c.dice.IntN(100), c.dice.IntN(250))
		if c.dice.IntN(3) == 0 {
			text = fmt.Sprintf("2001:db8:%x::1/64", 0x100+c.dice.IntN(0xe00))
		}
		addr, _ := netlink.ParseAddr(text)
		addr.Flags = unix.IFA_F_NODAD
		if err = netlink.AddrAdd(link, addr); errors.Is(err, unix.EEXIST) {
			return
		}
		c.addrs, c.on = append(c.addrs, addr), append(c.on, link)
	case len(c.addrs) > 0:
		i := c.dice.IntN(len(c.addrs))
		err = netlink.AddrDel(c.on[i], c.addrs[i])
		c.addrs, c.on = slices.Delete(c.addrs, i, i+1), slices.Delete(c.on, i, i+1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// last lets a time pass. Time in which this process got no turn does not count: nobody else got one, perhaps.
func last(d time.Duration) {
	const tick = 10 * time.Millisecond
	for range d / tick {
		for began := time.Now(); ; began = time.Now() {
			if time.Sleep(tick); time.Since(began) < 2*tick {
				break
			}
		}
	}
}

// lastingState waits until the tables have been the same for longer than 200 ms, and returns them.
func lastingState(t *testing.T, devices ...string) (state gidState) {
	t.Helper()
	waitFor(t, "the tables to last", func() bool {
		first, ok := tablesOf(devices...)
		if !ok {
			return false
		}
		last(300 * time.Millisecond)
		second, still := tablesOf(devices...)
		state = first
		return still && first.key() == second.key()
	})
	return state
}

func watchTopology(t *testing.T) {
	t.Helper()
	lab.Topology{
		Links: []lab.Link{
			{Name: "va", Kind: lab.Veth{Peer: "vb"}, Addrs: []string{"10.2.1.1/24"}},
			{Name: "vb", Kind: lab.PeerOf{Veth: "va"}, Addrs: []string{"10.2.1.2/24"}},
			{Name: "va.7", Kind: lab.VLAN{Parent: "va", ID: 7}, Addrs: []string{"10.2.7.1/24"}},
		},
		HCAs: []lab.HCA{{Name: "rxea", Netdev: "va"}, {Name: "rxeb", Netdev: "vb"}},
	}.Up(t)
}

// TestGIDWatchMissesNothing: changes at full speed, with rests. The tables that were at rest are among those that the watch went through, and
// in the end it has what the kernel has.
func TestGIDWatchMissesNothing(t *testing.T) {
	onOldestAndNewest(t)
	watchTopology(t)
	w := watchGIDs(t)
	c := &changer{dice: soak.Dice(t)}
	for _, name := range []string{"va", "va.7", "vb"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		c.links = append(c.links, link)
	}
	changes, rests := soak.Times(60, 1000), 0
	for i := range changes {
		c.change(t)
		if c.dice.IntN(soak.Times(10, 50)) != 0 && i < changes-1 {
			continue
		}
		rests++
		want := lastingState(t, "rxea", "rxeb")
		waitFor(t, "the watch to have been told of a state that lasted", func() bool { w.take(t); return w.seen[want.key()] })
	}
	want := lastingState(t, "rxea", "rxeb")
	waitFor(t, "the watch to end where the kernel ends", func() bool { w.take(t); return w.state.key() == want.key() })
	if len(w.missed) > 0 {
		t.Errorf("it says that it may have missed something: %q", w.missed)
	}
	t.Logf("%d changes, %d rests; told: %v", changes, rests, w.events)
}

// TestGIDWatchTellsLastingStates: a state that lasts, and is gone before anybody asks, is told nevertheless, whatever comes of it. The lab's
// processors are emulated, and shared: a state lasts for a second here (400 ms in the long form), from when the kernel has come to it, and not for 200 ms.
func TestGIDWatchTellsLastingStates(t *testing.T) {
	onOneKernel(t)
	watchTopology(t)
	w := watchGIDs(t)
	dice := soak.Dice(t)
	var links []netlink.Link
	for _, name := range []string{"va", "va.7", "vb"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, link)
	}
	var states []gidState
	note := func(what string, shown bool, gid string) {
		var state gidState
		waitFor(t, what, func() (ok bool) {
			state, ok = tablesOf("rxea", "rxeb")
			return ok && strings.Contains(state.key(), gid) == shown
		})
		last(time.Duration(soak.Times(1000, 400)) * time.Millisecond)
		states = append(states, state)
	}
	for i := range soak.Times(6, 60) {
		addr, _ := netlink.ParseAddr(fmt.Sprintf("10.77.%d.1/24", i))
		link := links[dice.IntN(len(links))]
		if err := netlink.AddrAdd(link, addr); err != nil {
			t.Fatal(err)
		}
		gid := gidText("::ffff:" + addr.IP.String())
		note("the kernel to add a GID", true, gid)
		if dice.IntN(3) == 0 {
			continue
		}
		if err := netlink.AddrDel(link, addr); err != nil {
			t.Fatal(err)
		}
		note("the kernel to delete a GID", false, gid)
	}
	waitFor(t, "the watch to end where the kernel ends", func() bool { w.take(t); return w.state.key() == states[len(states)-1].key() })
	for i, s := range states {
		if !w.seen[s.key()] {
			t.Errorf("state %d of %d lasted, and was not told:\n%s", i, len(states), s.key())
		}
	}
}

// TestGIDWatchDevices: a device that goes takes its GIDs along and is let go of at once; it is watched again when it comes back. So it is
// with ibctl serve and without.
func TestGIDWatchDevices(t *testing.T) {
	onOneKernel(t)
	watchTopology(t)
	for _, served := range []bool{false, true} {
		if served {
			serve(t, "")
		}
		all, one := watchGIDs(t), watchGIDs(t, "rxea")
		want, _ := tablesOf("rxea", "rxeb")
		if all.state.key() != want.key() {
			t.Errorf("it begins with\n%s\nand the kernel has\n%s", all.state.key(), want.key())
		}
		run(t, "rdma", "link", "del", "rxea")
		for _, w := range []*gidWatcher{all, one} {
			waitFor(t, "the GIDs to be gone", func() bool {
				w.take(t)
				return !strings.Contains(w.state.key(), "rxea")
			})
		}
		run(t, "rdma", "link", "add", "rxea", "type", "rxe", "netdev", "va")
		for _, w := range []*gidWatcher{all, one} {
			waitFor(t, "the GIDs to be back", func() bool {
				w.take(t)
				want, ok := tablesOf("rxea")
				return ok && len(want) > 0 && strings.Contains(w.state.key(), want.key())
			})
			w.stop(syscall.SIGINT)
			if code := w.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("interrupted, it exits with %d", code)
			}
		}
		if strings.Contains(one.state.key(), "rxeb") {
			t.Error("a device that was not asked for is told of")
		}
	}
}

// TestGIDWatchCost measures what the watch costs at ten changes a second: the client, and ibctl itself.
func TestGIDWatchCost(t *testing.T) {
	onOneKernel(t)
	watchTopology(t)
	w := watchGIDs(t)
	link, err := netlink.LinkByName("va")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := netlink.ParseAddr("10.2.9.1/24")
	const turns = 25
	before, began := cpuOf(), time.Now()
	for range turns {
		for _, change := range []func(netlink.Link, *netlink.Addr) error{netlink.AddrAdd, netlink.AddrDel} {
			if err := change(link, addr); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	after, took := cpuOf(), time.Since(began)
	w.take(t)
	t.Logf("%d changes in %v; told: %v", 2*turns, took.Round(time.Millisecond), w.events)
	for name, used := range after {
		used -= before[name]
		t.Logf("%s: %v of CPU time, %.1f %% of an emulated core", name, used, 100*used.Seconds()/took.Seconds())
	}
	if w.events["added"] == 0 || w.events["removed"] == 0 {
		t.Error("it has told nothing")
	}
}

// cpuOf is the CPU time that ibctl and its clients have used, by name (proc(5), utime and stime in ticks of 10 ms).
func cpuOf() map[string]time.Duration {
	used := map[string]time.Duration{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, name, _ := strings.Cut(string(text), "(")
		name, rest, _ := strings.Cut(name, ") ")
		if fields := strings.Fields(rest); strings.HasPrefix(name, "ibctl") && len(fields) > 12 {
			var user, system int64
			fmt.Sscan(fields[11], &user)
			fmt.Sscan(fields[12], &system)
			used[name] += time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return used
}
