package bench_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/ibctl/ibctl/internal/bench"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
)

// How the tables of BenchmarkGIDWatch are filled, and how fast they change.
const (
	watchedPorts = 4
	watchedSlots = 256
	watchedUsed  = 16
	changePeriod = 100 * time.Millisecond
	atRest       = 15 * time.Second
)

// BenchmarkGIDWatch is what ibctl gid watch costs, the process and its client, while an
// address is added or deleted ten times a second. It runs in a network namespace of its
// own, whose addresses really change, and in a mount namespace with a tree in the place
// of /sys, whose tables change with them: the code that reads and listens is that which
// runs on a host with HCAs. Such a tree does not tell which interfaces are behind ports,
// so that each change has the tables of all four read.
func BenchmarkGIDWatch(b *testing.B) {
	for _, c := range []struct {
		name    string
		changes int
	}{{"ten changes a second", 200}, {"no change", 0}} {
		b.Run(c.name, func(b *testing.B) {
			var percent, late bench.Series
			for b.Loop() {
				w := startWatch(b)
				busy := w.busy(b, c.changes)
				percent = append(percent, busy)
				late = append(late, w.late...)
				w.stop(b)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(percent.Median(), "%-of-a-core")
			if c.changes > 0 {
				b.ReportMetric(late.Median(), "ms-p50-late")
				b.ReportMetric(late.Quantile(0.99), "ms-p99-late")
			}
		})
	}
}

// watch is a running ibctl gid watch.
type watch struct {
	cmd    *exec.Cmd
	links  *netlink.Handle
	tables string
	lines  chan string
	said   bytes.Buffer
	late   bench.Series // from a change to the line about it, in milliseconds
}

// watchedTree has ports with tables as a driver fills them: v1 and v2 of each address.
func watchedTree(b *testing.B) string {
	b.Helper()
	all := sysfstest.Tree{"kernel/": "", "class/net/": ""}
	for i := range watchedPorts {
		port := sysfstest.Tree{"link_layer": "Ethernet\n", "state": "4: ACTIVE\n", "phys_state": "5: LinkUp\n", "gid_attrs/types/": "", "gid_attrs/ndevs/": ""}
		for slot := range watchedSlots {
			port[fmt.Sprintf("gids/%d", slot)] = noGID
			if slot < watchedUsed {
				port[fmt.Sprintf("gids/%d", slot)] = fmt.Sprintf("0000:0000:0000:0000:0000:ffff:0a%02x:%04x\n", i, slot/2+1)
				port[fmt.Sprintf("gid_attrs/types/%d", slot)] = []string{"IB/RoCE v1\n", "RoCE v2\n"}[slot%2]
				port[fmt.Sprintf("gid_attrs/ndevs/%d", slot)] = fmt.Sprintf("eth%d\n", i)
			}
		}
		device := sysfstest.Join(port.Under("ports/1"), sysfstest.Tree{"node_type": "1: CA\n", "fw_ver": "1\n", "node_guid": fmt.Sprintf("0001:0000:0000:000%d\n", i+1)})
		all = sysfstest.Join(all, device.Under("class/infiniband/"+hca(i).Name))
	}
	return all.Write(b)
}

const noGID = "0000:0000:0000:0000:0000:0000:0000:0000\n"

func startWatch(b *testing.B) *watch {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("takes root: it makes namespaces")
	}
	w := &watch{tables: watchedTree(b), lines: make(chan string, 1024)}
	script := `mount --make-rprivate / && mount --bind "$1" /sys || exit
for i in 0 1 2 3; do ip link add eth$i type veth peer name peer$i && ip link set eth$i up || exit; done
exec "$2" --socket none gid watch -o jsonl`
	w.cmd = exec.Command("unshare", "--net", "--mount", "sh", "-c", script, "sh", w.tables, binary(b))
	w.cmd.Stderr = &w.said
	out, err := w.cmd.StdoutPipe()
	must(b, err)
	must(b, w.cmd.Start())
	go func() {
		defer close(w.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.lines <- lines.Text()
		}
	}()
	w.await(b, `"ready"`)
	space, err := netns.GetFromPid(w.cmd.Process.Pid)
	must(b, err)
	defer space.Close()
	w.links, err = netlink.NewHandleAt(space, syscall.NETLINK_ROUTE)
	must(b, err)
	return w
}

// await returns when a line has come that says so.
func (w *watch) await(b *testing.B, word string) {
	b.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				b.Fatalf("ibctl gid watch has ended: %s", &w.said)
			}
			if strings.Contains(line, word) {
				return
			}
		case <-deadline:
			b.Fatalf("nothing was told of %s: %s", word, &w.said)
		}
	}
}

// busy makes changes, or waits for a while, and returns how much of a core ibctl used
// meanwhile: of the time that the changes should take, if the machine is too busy for
// that.
func (w *watch) busy(b *testing.B, changes int) (percent float64) {
	b.Helper()
	if changes == 0 {
		time.Sleep(atRest) // until nothing of the beginning is looked at any more
	}
	before, began := w.cpu(b), time.Now()
	for i := range changes {
		w.change(b, i)
		time.Sleep(time.Until(began.Add(time.Duration(i+1) * changePeriod)))
	}
	if changes == 0 {
		time.Sleep(atRest)
	}
	took := time.Since(began)
	if changes > 0 {
		took = time.Duration(changes) * changePeriod
	}
	return 100 * float64(w.cpu(b)-before) / float64(took)
}

// change adds or deletes an address, and the two GIDs of it, as the kernel would.
func (w *watch) change(b *testing.B, i int) {
	b.Helper()
	port, host := i/2%watchedPorts, i/2/watchedPorts+1
	link, err := w.links.LinkByName(fmt.Sprintf("eth%d", port))
	must(b, err)
	addr, err := netlink.ParseAddr(fmt.Sprintf("10.9.%d.%d/24", port, host))
	must(b, err)
	began := time.Now()
	if i%2 == 0 {
		must(b, w.links.AddrAdd(link, addr))
	} else {
		must(b, w.links.AddrDel(link, addr))
	}
	for slot := watchedUsed; slot < watchedUsed+2; slot++ {
		gid := noGID
		if i%2 == 0 {
			gid = fmt.Sprintf("0000:0000:0000:0000:0000:ffff:0a09:%02x%02x\n", port, host)
		}
		w.write(b, port, fmt.Sprintf("gid_attrs/types/%d", slot), []string{"IB/RoCE v1\n", "RoCE v2\n"}[slot%2])
		w.write(b, port, fmt.Sprintf("gid_attrs/ndevs/%d", slot), fmt.Sprintf("eth%d\n", port))
		w.write(b, port, fmt.Sprintf("gids/%d", slot), gid)
	}
	for range 2 {
		w.await(b, []string{`"added"`, `"removed"`}[i%2])
	}
	w.late = append(w.late, since(began))
}

// write replaces a file as a whole: sysfs does not show half of one either.
func (w *watch) write(b *testing.B, port int, name, text string) {
	b.Helper()
	path := filepath.Join(w.tables, "class/infiniband", hca(port).Name, "ports/1", name)
	must(b, os.WriteFile(path+".new", []byte(text), 0o644))
	must(b, os.Rename(path+".new", path))
}

// cpu is the CPU time that ibctl and its client have used (proc(5), utime and stime,
// in ticks of 10 ms).
func (w *watch) cpu(b *testing.B) (used time.Duration) {
	b.Helper()
	pids := []string{fmt.Sprint(w.cmd.Process.Pid)}
	for i := 0; i < len(pids); i++ {
		text, err := os.ReadFile("/proc/" + pids[i] + "/stat")
		must(b, err)
		_, rest, _ := strings.Cut(string(text), ") ")
		var user, system int64
		fields := strings.Fields(rest)
		fmt.Sscan(fields[11], &user)
		fmt.Sscan(fields[12], &system)
		used += time.Duration(user+system) * 10 * time.Millisecond
		tasks, err := filepath.Glob("/proc/" + pids[i] + "/task/*/children")
		must(b, err)
		for _, task := range tasks {
			text, _ := os.ReadFile(task) // the thread may have ended
			pids = append(pids, strings.Fields(string(text))...)
		}
	}
	if len(pids) < 2 {
		b.Fatal("ibctl gid watch runs without a client")
	}
	return used
}

func (w *watch) stop(b *testing.B) {
	b.Helper()
	w.links.Close()
	must(b, w.cmd.Process.Signal(syscall.SIGINT))
	for range w.lines {
	}
	if err := w.cmd.Wait(); err != nil {
		b.Errorf("ibctl gid watch: %v\n%s", err, &w.said)
	}
}
