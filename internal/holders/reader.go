package holders

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
	"github.com/ibctl/ibctl/internal/sysfs"
)

// Reader reads who holds devices of this host. It opens none of them. Its
// methods may be called by any number of goroutines at once.
type Reader struct {
	proc procfs.FS
	sys  *sysfs.FS
	nl   *nldev.Conn // nil: none
}

// NewReader returns a Reader of what proc, sys and nl show, which stay the
// caller's. A nil nl stands for a kernel without nldev.
func NewReader(proc procfs.FS, sys *sysfs.FS, nl *nldev.Conn) *Reader {
	return &Reader{proc: proc, sys: sys, nl: nl}
}

// Open returns a Reader of this host, which sees the devices of the calling
// thread's network namespace. Where the kernel has no nldev, it does without.
// The caller closes it.
func Open() (*Reader, error) {
	nl, err := nldev.Dial()
	if err != nil && !errors.Is(err, nldev.ErrUnavailable) {
		return nil, err
	}
	return NewReader(procfs.Live(), sysfs.Live(), nl), nil
}

// Close frees what Open opened.
func (r *Reader) Close() error {
	if r.nl == nil {
		return nil
	}
	return r.nl.Close()
}

// Report reads who holds each of the devices, and judges. all are the host's
// devices, for their sub-devices; clients are ibctl's own on a device, by its
// name. What could not be read is a warning.
func (r *Reader) Report(ctx context.Context, devices, all []rdma.Device, clients map[string][]Client) ([]Report, []rdma.Warning, error) {
	s, err := r.scan(ctx, all)
	if err != nil {
		return nil, nil, err
	}
	var reports []Report
	for _, d := range devices {
		report := Assess(s.facts(ctx, d, clients))
		name(report.Holders)
		reports = append(reports, report)
	}
	return reports, s.warnings, context.Cause(ctx)
}

// name adds the names of users.
func name(holders []Holder) {
	for i := range holders {
		uid, ok := holders[i].UID.Get()
		if !ok {
			continue
		}
		if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
			holders[i].User = u.Username
		}
	}
}

// scan is one look at all processes, for all devices.
type scan struct {
	*Reader
	all      []rdma.Device
	open     map[string][]OpenFile // by device
	drivers  map[string]string     // module, by device
	modules  map[string]Driver     // by module
	uses     []ModuleUse
	hidden   int
	whole    bool
	warnings []rdma.Warning
	read     map[int]procfs.Process
}

func (r *Reader) scan(ctx context.Context, all []rdma.Device) (*scan, error) {
	s := &scan{
		Reader: r, all: all,
		open: map[string][]OpenFile{}, drivers: map[string]string{}, modules: map[string]Driver{}, read: map[int]procfs.Process{},
	}
	s.findModules(ctx)
	before := s.references()
	if err := s.findOpenFiles(ctx); err != nil {
		return nil, err
	}
	s.compareFiles()
	s.judgeReferences(before, s.references())
	var err error
	if s.whole, err = r.proc.WholeHost(); err != nil {
		s.warn("processes", "tell whether all are visible", err)
	}
	return s, nil
}

func (s *scan) warn(object, op string, err error) {
	s.warnings = append(s.warnings, rdma.Warning{Object: object, Op: op, Err: err})
}

// facts puts together what concerns one device.
func (s *scan) facts(ctx context.Context, d rdma.Device, clients map[string][]Client) Facts {
	f := Facts{
		Device: d, Driver: s.modules[s.drivers[d.Name]], Open: s.open[d.Name],
		Hidden: s.hidden, WholeHost: s.whole,
		Modules: s.uses, Uppers: s.uppers(d), Clients: clients[d.Name],
		Objects: map[nldev.ObjectKind][]nldev.Object{},
	}
	s.objects(ctx, d, &f)
	s.nameProcesses(&f)
	f.Processes = s.processes(f)
	for _, sub := range s.all {
		if sub.Parent == d.Name && sub.Name != d.Name {
			f.SubDevices = append(f.SubDevices, s.facts(ctx, sub, clients))
		}
	}
	return f
}

// objects asks nldev. A kind that this kernel does not list is not missed: what
// a process has made it has a descriptor for.
func (s *scan) objects(ctx context.Context, d rdma.Device, f *Facts) {
	index, ok := d.Index.Get()
	if !ok || s.nl == nil {
		s.warn(d.Name, "list objects", nldev.ErrUnavailable)
		return
	}
	note := func(what string, err error) {
		if err != nil && !errors.Is(err, nldev.ErrUnsupported) {
			s.warn(d.Name, "list "+what, err)
		}
	}
	var err error
	f.Contexts, err = s.nl.Objects(ctx, nldev.Contexts, index)
	note("contexts", err)
	for _, kind := range []nldev.ObjectKind{nldev.PDs, nldev.CQs, nldev.MRs, nldev.SRQs} {
		list, err := s.nl.Objects(ctx, kind, index)
		note(string(kind)+"s", err)
		f.Objects[kind] = list
	}
	f.QPs, err = s.nl.QPs(ctx, index)
	note("QPs", err)
	f.CMIDs, err = s.nl.CMIDs(ctx, index)
	note("CM ids", err)
}

// nameProcesses makes processes of the threads that the kernel names as owners.
// One that has ended since stays as it is.
func (s *scan) nameProcesses(f *Facts) {
	eachOwner(f, func(o *nldev.Owner) {
		tid, ok := o.PID.Get()
		if !ok {
			return
		}
		if pid, err := s.proc.Leader(int(tid)); err == nil {
			o.PID = rdma.Known(uint32(pid))
		}
	})
}

// processes reads those that f mentions. One that has ended meanwhile is left
// out.
func (s *scan) processes(f Facts) map[int]procfs.Process {
	found := map[int]procfs.Process{}
	add := func(pid int) {
		if _, known := found[pid]; known {
			return
		}
		p, known := s.read[pid]
		if !known {
			var err error
			if p, err = s.proc.Process(pid); err != nil {
				return
			}
			s.read[pid] = p
		}
		found[pid] = p
	}
	for _, o := range f.Open {
		add(o.PID)
	}
	eachOwned(f, func(pid int, _ string) { add(pid) })
	for pid := range clientPIDs(f) {
		add(pid)
	}
	return found
}

// uppers finds the netdevs that the device's own are ports of.
func (s *scan) uppers(d rdma.Device) []Upper {
	var all []Upper
	for _, p := range d.Ports {
		if p.Netdev == "" {
			continue
		}
		if master, bond := s.sys.Master(p.Netdev); master != "" {
			all = append(all, Upper{Netdev: p.Netdev, Name: master, Bond: bond})
		}
	}
	return all
}

// isHidden tells whether an error means that a process may not be looked into.
func isHidden(err error) bool { return errors.Is(err, fs.ErrPermission) }

// notOurselves leaves this process out: it holds nothing, and its plugins are
// clients.
func notOurselves(pid int) bool { return pid != os.Getpid() }
