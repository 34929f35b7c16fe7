package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/soak"
)

// churnConfig: what is stopped is found out soon; and there is something to put back, which takes configfs.
const churnConfig = `
clients: [roce, cm]
limits: {add: 5s, change: 5s, remove: 2s}
cm: {defaults: [{device: "*", tos: 8}]}
events: 1000
`

// TestDaemonChurn has two HCAs come, change and go, over and over, while plugins are killed and stopped. What the daemon tells must add
// up, and in the end nothing may be left of it all. Where it fails, the seed that it prints repeats it, as far as the kernel does.
func TestDaemonChurn(t *testing.T) {
	rounds, dice := soak.Times(8, 300), soak.Dice(t)
	// A third HCA stays: Linux 7.x refuses one of two (EPERM) that are made at once where there is none.
	lab.Topology{
		Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}, {Name: "eth1", Kind: lab.Dummy{}}, {Name: "eth2", Kind: lab.Dummy{}}},
		HCAs:  []lab.HCA{{Name: "rxe9", Netdev: "eth2"}},
	}.Up(t)
	s := serve(t, churnConfig)
	h := s.follow(t)
	c := &turmoil{t: t, serving: s}
	// What is made once, and kept, is there after this. Chance may leave ibctl's own way out of the rounds.
	c.both(dice, 2, false)
	run(t, "ibctl", "dev", "add", "rxe8", "--type", "rxe", "--netdev", "eth0")
	run(t, "ibctl", "dev", "remove", "rxe8")
	remove := c.add("rxe0", "rxe1")
	s.becomesSame(t, "a calm start")
	before := c.look()
	remove()
	c.both(dice, rounds, true)
	c.both(dice, 1, false) // whoever is still stopped is found out
	c.heal()
	healed := c.keepHealing() // who was stopped in the last round may be found out only now
	c.add("rxe0", "rxe1")
	s.becomesSame(t, "the churn")
	healed()
	c.checkLeft(before)
	c.checkMemory()
	c.checkHistory(h)
}

// turmoil disturbs a daemon.
type turmoil struct {
	t       *testing.T
	serving *serving
	// healing keeps the two from loading a client at once.
	healing sync.Mutex
	mu      sync.Mutex
	memory  []int // of the daemon, in KiB, after each round
	done    map[string]int
}

// both runs rounds on two HCAs at the same time.
func (c *turmoil) both(dice *rand.Rand, rounds int, rough bool) {
	var working sync.WaitGroup
	for i := range 2 {
		hca := &churned{turmoil: c, netdev: fmt.Sprintf("eth%d", i), number: i, rough: rough, Rand: rand.New(rand.NewPCG(dice.Uint64(), uint64(i)))}
		working.Go(func() {
			for round := range rounds {
				if err := hca.round(round); err != nil {
					c.t.Errorf("%s, round %d: %v", hca.netdev, round, err)
					return
				}
				c.heal()
				c.measure()
				if round%20 == 19 { // the lab takes silence for a hang
					c.t.Logf("%s: %d rounds", hca.netdev, round+1)
				}
			}
		})
	}
	working.Wait()
}

// add makes one HCA on each netdev, which stays.
func (c *turmoil) add(names ...string) (remove func()) {
	for i, name := range names {
		run(c.t, "rdma", "link", "add", name, "type", "rxe", "netdev", fmt.Sprintf("eth%d", i))
	}
	return func() {
		for _, name := range names {
			run(c.t, "rdma", "link", "del", name)
		}
	}
}

func (c *turmoil) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string]int{}
	}
	c.done[what]++
}

func (c *turmoil) measure() {
	used := anonymousMemory(c.t, c.serving.cmd.Process.Pid)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory = append(c.memory, used)
}

// heal does what an operator does with a client that died too often.
func (c *turmoil) heal() {
	c.healing.Lock()
	defer c.healing.Unlock()
	for name, client := range c.serving.clients(c.t) {
		if client.GetState() != "quarantined" {
			continue
		}
		c.count("loaded anew")
		for _, verb := range []string{"unload", "load"} {
			// A load may find that the new process has been killed, too.
			if r := ibctl(c.t, "", "client", verb, name); r.code != 0 && verb == "unload" {
				c.t.Errorf("ibctl client %s %s: exit code %d, %s", verb, name, r.code, r.stderr)
			}
		}
	}
}

// keepHealing heals until done is called.
func (c *turmoil) keepHealing() (done func()) {
	stop := make(chan struct{})
	var healing sync.WaitGroup
	healing.Go(func() {
		for {
			select {
			case <-time.After(time.Second):
				c.heal()
			case <-stop:
				return
			}
		}
	})
	done = sync.OnceFunc(func() {
		close(stop)
		healing.Wait()
	})
	c.t.Cleanup(done)
	return done
}

// churned is one of the HCAs.
type churned struct {
	*turmoil
	*rand.Rand
	netdev, name  string
	number, named int
	rough         bool
}

// round is a life of the HCA.
func (h *churned) round(n int) error {
	h.name = h.newName()
	steps := []func() error{h.readdress, h.readdress, h.rename}
	h.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	steps = append([]func() error{h.add}, steps[:1+h.IntN(len(steps))]...)
	steps = append(steps, h.remove)
	hurt := -1
	if h.rough && h.IntN(2) == 0 {
		hurt = h.IntN(len(steps))
	}
	for i, step := range steps {
		if i == hurt {
			h.hurt()
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (h *churned) newName() string {
	h.named++
	return fmt.Sprintf("rxe%d%c", h.number, 'a'+h.named%3) // names are used again
}

func (h *churned) command(name string, args ...string) error {
	h.count(name + " " + strings.Join(args[:2], " "))
	for range 5 {
		out, err := exec.Command(name, args...).CombinedOutput()
		switch {
		case err == nil:
			return nil
		case !overlooked(string(out)):
			return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
		}
		h.count("rdma does not find what is there")
	}
	return fmt.Errorf("%s %q: it does not find a device that is in sysfs", name, args)
}

// overlooked tells whether rdma has not found a device that the kernel has: it lists
// all devices first, once, and the kernel leaves one out of such a list when another
// goes meanwhile (TestListLeavesNobodyOut).
func overlooked(out string) bool {
	_, name, found := strings.Cut(strings.TrimSpace(out), "Wrong device name - ")
	_, err := os.Lstat("/sys/class/infiniband/" + name)
	return found && err == nil
}

// ours tells whether it is ibctl's turn, which asks the daemon first, or that of rdma, which asks nobody.
func (h *churned) ours() bool { return h.IntN(3) == 0 }

func (h *churned) add() error {
	if h.ours() {
		return h.command("ibctl", "dev", "add", h.name, "--type", "rxe", "--netdev", h.netdev)
	}
	return h.command("rdma", "link", "add", h.name, "type", "rxe", "netdev", h.netdev)
}

func (h *churned) rename() error {
	old := h.name
	h.name = h.newName()
	if h.ours() {
		return h.command("ibctl", "dev", "rename", old, h.name)
	}
	return h.command("rdma", "dev", "set", old, "name", h.name)
}

func (h *churned) remove() error {
	if h.IntN(2) == 0 {
		h.settle()
	}
	if h.ours() {
		return h.command("ibctl", "dev", "remove", h.name)
	}
	return h.command("rdma", "link", "del", h.name)
}

// settle waits until the daemon has found the HCA, or for as long as it may take one that a stopped plugin holds up.
func (h *churned) settle() {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		list, err := h.serving.ListDevices(h.t.Context(), &apiv1.ListDevicesRequest{})
		if err != nil || slices.ContainsFunc(list.GetDevices(), func(d *apiv1.ListedDevice) bool {
			return d.GetDevice().GetName() == h.name && d.GetId() != nil
		}) {
			return
		}
	}
}

// readdress gives the netdev an address, or takes one from it.
func (h *churned) readdress() error {
	h.count("address changed")
	link, err := netlink.LinkByName(h.netdev)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("10.%d.0.%d/24", h.number, 1+h.IntN(4))
	if h.IntN(2) == 0 {
		text = fmt.Sprintf("2001:db8:%d::%d/64", h.number, 1+h.IntN(4))
	}
	addr, err := netlink.ParseAddr(text)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, addr); err != syscall.EEXIST {
		return err
	}
	return netlink.AddrDel(link, addr)
}

// hurt kills or stops a plugin. It does not matter if there is none at the moment.
func (h *churned) hurt() {
	name := []string{"roce", "cm"}[h.IntN(2)]
	signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP}[h.IntN(2)]
	pid := int(h.serving.clients(h.t)[name].GetPid())
	if pid == 0 || !strings.Contains(commandLine(pid), "plugin-serve") {
		return
	}
	h.count(unix.SignalName(signal) + " to " + name)
	_ = syscall.Kill(pid, signal) // it may have ended
}

func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing if it has ended
	return string(text)
}

// traces are what a daemon may leave.
type traces struct {
	daemon, plugins []string // open descriptors
	files           []string
	children        int
}

func (c *turmoil) look() traces {
	pid := c.serving.cmd.Process.Pid
	found := traces{daemon: descriptors(pid), children: len(processes("ibctl"))}
	for _, client := range c.serving.clients(c.t) {
		found.plugins = append(found.plugins, descriptors(int(client.GetPid()))...)
	}
	for _, pattern := range []string{"/run/ibctl/*", "/run/ibctl/serve/*", "/run/ibctl/serve/plugins/*", "/run/ibctl/serve/plugins/*/*", "/run/ibctl/rdma_cm/*", cmConfigfs + "*"} {
		files, _ := filepath.Glob(pattern)
		found.files = append(found.files, files...)
	}
	slices.Sort(found.plugins)
	return found
}

// descriptors returns what a process has open, each in a few words.
func descriptors(pid int) (open []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			kind, _, _ := strings.Cut(target, ":[") // the number says nothing
			open = append(open, kind)
		}
	}
	slices.Sort(open)
	return open
}

// checkLeft compares with what there was before. Connections of commands that have just ended may take a moment.
func (c *turmoil) checkLeft(before traces) {
	c.t.Helper()
	var now traces
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if now = c.look(); slices.Equal(now.daemon, before.daemon) && slices.Equal(now.plugins, before.plugins) && now.children == before.children && len(now.files) == len(before.files) {
			return
		}
	}
	c.t.Errorf("before:\n%+v\nafter:\n%+v", before, now)
}

// checkMemory: the second half of the time needed no more than the first, but for what a garbage collector does as it likes.
func (c *turmoil) checkMemory() {
	c.t.Helper()
	half := len(c.memory) / 2
	first, second := slices.Max(c.memory[:half]), slices.Max(c.memory[half:])
	c.t.Logf("anonymous memory of ibctl serve: %d KiB at the beginning, at most %d KiB in the first half and %d KiB in the second", c.memory[0], first, second)
	if second > first+4<<10 {
		c.t.Errorf("it grows: %v", c.memory)
	}
}

// anonymousMemory is what a process has of its own, in KiB.
func anonymousMemory(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n int
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &n); err == nil {
			return n
		}
	}
	t.Fatalf("no RssAnon in\n%s", text)
	return 0
}

// checkHistory: the daemon's own words add up, and agree with what there is.
func (c *turmoil) checkHistory(h *history) {
	c.t.Helper()
	last := h.all()[len(h.all())-1].GetSeq()
	l := replay(h.all())
	c.t.Logf("done: %v", c.done)
	c.t.Logf("told: %d events; %d registrations, %d Removes, of which %d took a kill; %d plugin processes", last, l.registrations, l.removes, l.kills, len(l.all))
	for _, b := range l.broken {
		c.t.Error(b)
	}
	h.mu.Lock()
	if h.missed > 0 {
		c.t.Errorf("%d events are lost: the journal is too small, or we are too slow", h.missed)
	}
	h.mu.Unlock()
	if len(l.devices) != len(kernelDevices(c.t)) {
		c.t.Errorf("by what it told there are %v, the kernel has %v", l.devices, kernelDevices(c.t))
	}
	for pid := range l.all {
		if running := l.pids[pid] != ""; running != strings.Contains(commandLine(int(pid)), "plugin-serve") {
			c.t.Errorf("process %d: it told that it runs: %v, and its command line is %q", pid, running, commandLine(int(pid)))
		}
	}
}
