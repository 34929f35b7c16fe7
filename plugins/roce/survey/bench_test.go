package survey_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate"
	"github.com/ibctl/ibctl/internal/netstate/live"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/internal/sysfs/sysfstest"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// treeOf writes the tables of a survey as sysfs has them.
func treeOf(b *testing.B, s *survey.Survey) *sysfs.FS {
	b.Helper()
	all := sysfstest.Tree{}
	for _, t := range s.Tables {
		port := sysfstest.Tree{"gid_attrs/types/": "", "gid_attrs/ndevs/": ""}
		for slot := range t.Slots {
			port["gids/"+strconv.Itoa(slot)] = "0000:0000:0000:0000:0000:0000:0000:0000\n"
		}
		for _, e := range t.Entries {
			slot := strconv.Itoa(int(e.Index))
			port["gids/"+slot] = e.GID.String() + "\n"
			port["gid_attrs/types/"+slot] = string(e.Type) + "\n"
			port["gid_attrs/ndevs/"+slot] = e.Netdev + "\n"
		}
		all = sysfstest.Join(all, port.Under(fmt.Sprintf("class/infiniband/%s/ports/%d", t.Device, t.Port)))
	}
	return sysfs.Trusted(all.Write(b))
}

// BenchmarkSettled is a settled audit of 64 ports × 256 slots, all in use, on a host with
// as many addresses: netdevs and tables are read until they are settled, and held against
// the rules. It stands beside the reading of the same tables once. The netdevs that are
// read are those of a namespace made for it; the ones that the rules are given belong to
// the tables.
func BenchmarkSettled(b *testing.B) {
	rack := rack(64, 256)
	tables := files{treeOf(b, rack), rack.Ports}
	space := spaceOf(b, 64, 127)
	sources := survey.Sources{
		Netdevs: func(ctx context.Context) (netstate.Snapshot, []rdma.Warning, error) {
			read, warnings, err := live.ReadAt(ctx, space)
			if n := len(read.Namespaces[1].Netdevs); n != 129 {
				b.Fatalf("%d netdevs", n)
			}
			return rack.Netdevs, warnings, err
		},
		Behind: func(context.Context, *netstate.Snapshot) (map[survey.PortName]netstate.Ref, []survey.PortName, []rdma.Warning, error) {
			return rack.Behind, rack.Ports, nil, nil
		},
		Tables: tables,
	}
	read := func() { tables.Read(b.Context()) }
	audit := func() {
		var reports []survey.Report
		_, err := survey.Settled(b.Context(), sources, func(s *survey.Survey) bool {
			reports = s.Audit(noRebuild)
			return survey.Sound(reports)
		})
		if err != nil || len(reports[63].Findings) > 0 || reports[63].Used != 254 {
			b.Fatal(err, reports[63])
		}
	}
	read() // so that both find the files in memory, where the kernel's are
	audit()
	var once, beyond, beyondCPU []float64
	for b.Loop() {
		for range 5 {
			reading, readingCPU := timed(b, read)
			auditing, auditingCPU := timed(b, audit)
			once, beyond, beyondCPU = append(once, reading), append(beyond, auditing-reading), append(beyondCPU, auditingCPU-readingCPU)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(once), "ms-to-read-once")
	b.ReportMetric(median(beyond), "ms-beyond-that")
	b.ReportMetric(median(beyondCPU), "ms-of-cpu-beyond-that")
}

// timed returns how long something takes, and how much of the processors' time, which
// says more on a machine that has other things to do.
func timed(b *testing.B, do func()) (ms, cpu float64) {
	b.Helper()
	used := func() time.Duration {
		var u unix.Rusage
		must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, began := used(), time.Now()
	do()
	return time.Since(began).Seconds() * 1000, (used() - before).Seconds() * 1000
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// files are tables that are read all at the same time, as the client does.
type files struct {
	fs    *sysfs.FS
	ports []survey.PortName
}

func (f files) Read(ctx context.Context) []survey.Table {
	tables := make([]survey.Table, len(f.ports))
	f.each(func(i int, p survey.PortName) {
		tables[i].PortName = p
		tables[i].GIDTable, tables[i].Warnings, tables[i].Err = f.fs.GIDs(ctx, p.Device, p.Port, false)
	})
	return tables
}

func (f files) Same(ctx context.Context, tables []survey.Table) bool {
	same := make([]bool, len(tables))
	f.each(func(i int, p survey.PortName) {
		d, err := f.fs.OpenDevice(p.Device)
		if err != nil {
			return
		}
		defer d.Close()
		same[i], _ = d.SameGIDs(ctx, p.Port, tables[i].GIDTable)
	})
	return !slices.Contains(same, false)
}

func (f files) each(do func(i int, p survey.PortName)) {
	var working sync.WaitGroup
	for i, p := range f.ports {
		working.Go(func() { do(i, p) })
	}
	working.Wait()
}

// spaceOf makes a network namespace of that many pairs of veth, the first of each with
// addresses. It returns the ways to it, the own namespace first.
func spaceOf(b *testing.B, links, addrs int) []live.Place {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("takes root: it makes a network namespace")
	}
	places, _, err := live.Places()
	must(b, err)
	cmd := exec.Command("unshare", "--net", "sh", "-c", "echo; exec cat")
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	_, err = out.Read(make([]byte, 1))
	must(b, err)
	path := fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid)
	space, err := netns.GetFromPath(path)
	must(b, err)
	defer space.Close()
	nl, err := netlink.NewHandleAt(space, unix.NETLINK_ROUTE)
	must(b, err)
	defer nl.Close()
	for i := range links {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprintf("eth%d", i)}, PeerName: fmt.Sprintf("peer%d", i)}
		must(b, nl.LinkAdd(link))
		for a := range addrs {
			must(b, nl.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, byte(i), 0, byte(a+1)), Mask: net.CIDRMask(24, 32)}}))
		}
	}
	var st unix.Stat_t
	must(b, unix.Stat(path, &st))
	return []live.Place{places[0], {ID: st.Ino, Path: path}}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
