package holders

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

// Drivers of three sorts.
var (
	waiting = Driver{Module: "siw", Disassociates: rdma.Known(false)}
	taking  = Driver{Module: "mlx5_ib", Disassociates: rdma.Known(true)}
	strange = Driver{}
)

func facts(d Driver) Facts {
	return Facts{Device: rdma.Device{Name: "hca0"}, Driver: d, WholeHost: true, Objects: map[nldev.ObjectKind][]nldev.Object{}}
}

func byPID(pid int) nldev.Owner           { return nldev.Owner{PID: rdma.Known(uint32(pid))} }
func byKernel(name string) nldev.Owner    { return nldev.Owner{Kernel: name} }
func objectOf(o nldev.Owner) nldev.Object { return nldev.Object{Owner: o} }

func cmid(o nldev.Owner, source string) nldev.CMID {
	return nldev.CMID{Owner: o, Source: nldev.Endpoint{IP: netip.MustParseAddrPort(source)}}
}

func open(pid, fd int, name string, file int) OpenFile {
	return OpenFile{PID: pid, FD: rdma.Known(fd), Name: name, File: file}
}

// only returns the one holder there must be.
func only(t *testing.T, f Facts) Holder {
	t.Helper()
	r := Assess(f)
	if len(r.Holders) != 1 {
		t.Fatalf("%d holders: %+v", len(r.Holders), r.Holders)
	}
	return r.Holders[0]
}

func TestProcessByDriver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		driver Driver
		fill   func(*Facts)
		effect Effect
		waits  bool
		reason string
	}{
		{"verbs, the kernel waits", waiting, func(f *Facts) { f.Open = []OpenFile{open(7, 3, "uverbs0", 1)} }, Blocks, true, "siw cannot take it away"},
		{"verbs, taken away", taking, func(f *Facts) { f.Open = []OpenFile{open(7, 3, "uverbs0", 1)} }, CutOff, false, "uverbs0"},
		{"verbs, driver unknown", strange, func(f *Facts) { f.Open = []OpenFile{open(7, 3, "uverbs0", 1)} }, Blocks, true, "all that is known"},
		{"verbs, ability unknown", Driver{Module: "new"}, func(f *Facts) { f.Open = []OpenFile{open(7, 3, "uverbs0", 1)} }, Blocks, true, "known of new"},
		{"verbs and CM id, the kernel waits", waiting, func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 1)}
			f.CMIDs = []nldev.CMID{cmid(byPID(7), "192.0.2.1:7174")}
		}, Told, true, "is told"},
		{"verbs and CM id, taken away", taking, func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 1)}
			f.CMIDs = []nldev.CMID{cmid(byPID(7), "192.0.2.1:7174")}
		}, CutOff, false, "uverbs0"},
		{"CM id alone", waiting, func(f *Facts) { f.CMIDs = []nldev.CMID{cmid(byPID(7), "192.0.2.1:7174")} }, Told, false, "1 id"},
		{"listener on any address", waiting, func(f *Facts) { f.CMIDs = []nldev.CMID{cmid(byPID(7), "0.0.0.0:7174")} }, Harmless, false, "any address"},
		{"management datagrams", waiting, func(f *Facts) { f.Open = []OpenFile{open(7, 3, "umad0", 1), open(7, 4, "issm0", 2)} }, CutOff, false, "umad0 and issm0"},
		{"context without a descriptor to be seen", waiting, func(f *Facts) { f.Contexts = []nldev.Object{objectOf(byPID(7))} }, Blocks, true, "a verbs context"},
		{"object of an unknown way", taking, func(f *Facts) { f.Objects[nldev.PDs] = []nldev.Object{objectOf(byPID(7))} }, Blocks, true, "not known"},
	} {
		f := facts(tt.driver)
		tt.fill(&f)
		h := only(t, f)
		if h.Kind != KindProcess || h.PID != rdma.Known(7) || h.Effect != tt.effect || h.Waits != tt.waits || !strings.Contains(h.Reason, tt.reason) {
			t.Errorf("%s: %+v", tt.name, h)
		}
	}
}

func TestProcessIsDescribed(t *testing.T) {
	f := facts(waiting)
	f.Open = []OpenFile{open(7, 3, "uverbs0", 1)}
	f.Contexts = []nldev.Object{objectOf(byPID(7)), objectOf(byPID(7))}
	f.QPs = []nldev.QP{{LQPN: 17, Owner: byPID(7)}}
	f.Processes = map[int]procfs.Process{7: {
		PID: 7, Comm: "ib_write_bw", Command: []string{"ib_write_bw", "-d", "hca0"}, UID: 1000, Started: 99,
		Cgroup: procfs.Cgroup{Unit: "a.service", Pod: "p", Container: "c", SlurmJob: "1"},
	}}
	h := only(t, f)
	if h.Name != "ib_write_bw" || h.UID != rdma.Known(uint32(1000)) || h.Started != 99 || len(h.Command) != 3 {
		t.Errorf("%+v", h)
	}
	if h.Unit != "a.service" || h.Pod != "p" || h.Container != "c" || h.SlurmJob != "1" {
		t.Errorf("%+v", h)
	}
	if h.Objects["ctx"] != 2 || h.Objects["qp"] != 1 {
		t.Errorf("%+v", h.Objects)
	}
	if d := h.Descriptors[0]; d.FD != rdma.Known(3) || d.Name != "uverbs0" || d.Inherited != rdma.Known(false) {
		t.Errorf("%+v", d)
	}
}

// TestInheritance: 7 opened the file and made its context; 8 is its child.
func TestInheritance(t *testing.T) {
	for _, tt := range []struct {
		name      string
		fill      func(*Facts)
		inherited rdma.Opt[bool] // of 8
		creator   rdma.Opt[int]
	}{
		{"the creator holds it too", func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 1), open(8, 3, "uverbs0", 1)}
			f.Contexts = []nldev.Object{objectOf(byPID(7))}
		}, rdma.Known(true), rdma.Known(7)},
		{"the creator has ended", func(f *Facts) {
			f.Open = []OpenFile{open(8, 3, "uverbs0", 1)}
			f.Contexts = []nldev.Object{objectOf(nldev.Owner{})}
		}, rdma.Opt[bool]{}, rdma.Opt[int]{}},
		{"both opened it for themselves", func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 1), open(8, 3, "uverbs0", 2)}
			f.Contexts = []nldev.Object{objectOf(byPID(7)), objectOf(byPID(8))}
		}, rdma.Known(false), rdma.Opt[int]{}},
		{"no context, but a parent", func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "umad0", 1), open(8, 3, "umad0", 1)}
		}, rdma.Known(true), rdma.Known(7)},
		{"each has a context, and the child its parent's file too", func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 1), open(8, 3, "uverbs0", 1), open(8, 4, "uverbs0", 2)}
			f.Contexts = []nldev.Object{objectOf(byPID(7)), objectOf(byPID(8))}
		}, rdma.Known(true), rdma.Known(7)},
		{"no context, no comparison", func(f *Facts) {
			f.Open = []OpenFile{open(7, 3, "uverbs0", 0), open(8, 3, "uverbs0", 0)}
		}, rdma.Opt[bool]{}, rdma.Opt[int]{}},
	} {
		f := facts(waiting)
		f.Processes = map[int]procfs.Process{7: {PID: 7, Parent: 1}, 8: {PID: 8, Parent: 7}}
		tt.fill(&f)
		for _, h := range Assess(f).Holders {
			if h.PID != rdma.Known(8) {
				continue
			}
			d := h.Descriptors[0]
			if d.Inherited != tt.inherited || d.Creator != tt.creator || d.CreatorEnded != (tt.name == "the creator has ended") {
				t.Errorf("%s: %+v", tt.name, d)
			}
		}
	}
}

func TestUnseen(t *testing.T) {
	stray := facts(waiting)
	stray.Contexts = []nldev.Object{objectOf(nldev.Owner{})}
	if h := only(t, stray); h.PID.IsKnown() || !h.Waits || !strings.Contains(h.Reason, "hidden from here") {
		t.Errorf("a context of nobody: %+v", h)
	}
	explained := facts(waiting)
	explained.Contexts = stray.Contexts
	explained.Open = []OpenFile{open(8, 3, "uverbs0", 1)}
	if h := only(t, explained); h.PID != rdma.Known(8) {
		t.Errorf("an inherited descriptor explains it: %+v", h)
	}
	referenced := facts(waiting)
	referenced.Driver.Unaccounted = rdma.Known(2)
	if h := only(t, referenced); !h.Waits || h.Objects["ctx"] != 2 || !strings.Contains(h.Reason, "socket") {
		t.Errorf("references: %+v", h)
	}
	hidden := facts(waiting)
	hidden.Hidden, hidden.WholeHost = 12, false
	hidden.Driver.Unaccounted = rdma.Known(2)
	if r := Assess(hidden); len(r.Holders) != 0 || len(r.Unseen) != 2 || !strings.Contains(r.Unseen[0], "12 processes") {
		t.Errorf("without root: %+v", r)
	}
}

func TestKernelUsers(t *testing.T) {
	f := facts(waiting)
	f.CMIDs = []nldev.CMID{
		cmid(byKernel("nvme_rdma"), "192.0.2.1:1"), cmid(byKernel("rpcrdma"), "0.0.0.0:20049"), cmid(byKernel("rpcrdma"), "[::]:20049"),
	}
	f.CMIDs[0].LQPN = rdma.Known(uint32(17))
	f.QPs = []nldev.QP{{LQPN: 1, Owner: byKernel("ib_core")}, {LQPN: 17, Owner: byKernel("rdma_cm")}}
	f.Objects[nldev.PDs] = []nldev.Object{objectOf(byKernel("ko2iblnd")), objectOf(byKernel("rds_rdma"))}
	want := map[string]struct {
		effect Effect
		waits  bool
		qps    int
	}{
		"ko2iblnd": {Blocks, true, 0}, "nvme_rdma": {CutOff, false, 1}, "rds_rdma": {Told, false, 0}, "rpcrdma": {Harmless, false, 0}, "ib_core": {Harmless, false, 1},
	}
	r := Assess(f)
	for _, h := range r.Holders {
		w := want[h.Name]
		if h.Kind != KindKernel || h.Effect != w.effect || h.Waits != w.waits || h.Objects["qp"] != w.qps {
			t.Errorf("%+v, want %+v", h, w)
		}
		delete(want, h.Name)
	}
	if len(want) > 0 || r.Holders[0].Name != "ko2iblnd" {
		t.Errorf("missing %v; first is %s", want, r.Holders[0].Name)
	}
}

// A listener on any address is harmless by itself; with a connection it is not.
func TestKernelListenerWithConnection(t *testing.T) {
	f := facts(waiting)
	f.CMIDs = []nldev.CMID{cmid(byKernel("rpcrdma"), "0.0.0.0:20049"), cmid(byKernel("rpcrdma"), "192.0.2.1:20049")}
	if h := only(t, f); h.Effect != Blocks || !h.Waits {
		t.Errorf("%+v", h)
	}
}

func TestModulesAndUppers(t *testing.T) {
	f := facts(waiting)
	f.Modules = []ModuleUse{{"ib_uverbs", []string{"ib_core"}}, {"mlx5_ib", []string{"ib_core"}}, {"nvidia_peermem", []string{"ib_core", "rdma_cm"}}, {"nvme_rdma", []string{"rdma_cm"}}}
	f.Objects[nldev.PDs] = []nldev.Object{objectOf(byKernel("nvme_rdma"))}
	f.Uppers = []Upper{{"eth0", "bond0", true}, {"eth1", "br0", false}}
	var got []string
	for _, h := range Assess(f).Holders {
		got = append(got, string(h.Kind)+" "+h.Name+" "+string(h.Effect))
	}
	want := "kernel nvme_rdma cut_off, kernel bonding harmless, module nvidia_peermem harmless"
	if strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestClients(t *testing.T) {
	f := facts(waiting)
	f.Clients = []Client{{Name: "cm", PID: rdma.Known(9)}, {Name: "roce"}}
	f.CMIDs = []nldev.CMID{cmid(byPID(9), "192.0.2.1:1")}
	r := Assess(f)
	if len(r.Holders) != 2 || len(r.Waiting()) != 0 || len(r.CutOff()) != 0 {
		t.Fatalf("%+v", r.Holders)
	}
	if h := r.Holders[0]; h.Kind != KindClient || h.Name != "cm" || h.Effect != Told || h.Objects["cm_id"] != 1 {
		t.Errorf("%+v", h)
	}
}

// Who holds a sub-device is in the way of its parent.
func TestSubDevices(t *testing.T) {
	f, sub := facts(taking), facts(waiting)
	sub.Device.Name = "smi0"
	sub.Open = []OpenFile{open(7, 3, "uverbs1", 1)}
	f.SubDevices = []Facts{sub}
	r := Assess(f)
	if len(r.Holders) != 2 || r.Holders[0].Device != "smi0" || !r.Holders[0].Waits || r.Holders[1].Kind != KindSubDevice {
		t.Errorf("%+v", r.Holders)
	}
}

func TestJoin(t *testing.T) {
	for _, tt := range [][]string{{""}, {"a", "a"}, {"a and b", "a", "b"}, {"a, b and c", "a", "b", "c"}} {
		if got := join(tt[1:]); got != tt[0] {
			t.Errorf("%q, want %q", got, tt[0])
		}
	}
}
