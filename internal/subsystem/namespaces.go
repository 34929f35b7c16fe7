package subsystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/netstate/live"
	"github.com/ibctl/ibctl/internal/procfs"
)

// Namespace is a network namespace that is not the host's first.
type Namespace struct {
	Inode uint64 `json:"inode"`
	// Name is that of ip-netns(8), or of a container runtime; Path is the file.
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	// Processes keep it alive.
	Processes []Process `json:"processes"`
}

// Process is in a namespace, or has a descriptor of it.
type Process struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm,omitempty"`
	// Open tells that it is elsewhere, and has a descriptor.
	Open      bool   `json:"open"`
	Unit      string `json:"unit,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
	SlurmJob  string `json:"slurm_job,omitempty"`
}

// Namespaces finds the network namespaces that stand in the way of a change of the
// netns mode: all but the first. What it cannot look at is a warning.
func Namespaces(ctx context.Context) ([]Namespace, []rdma.Warning, error) {
	places, partial, err := live.Places()
	if err != nil {
		return nil, nil, fmt.Errorf("find network namespaces: %w", err)
	}
	f := finder{proc: procfs.Live(), byInode: map[uint64]*Namespace{}}
	if f.initial, err = f.proc.InitialNetns(); err != nil {
		return nil, nil, err
	}
	for _, p := range places {
		if n := f.namespace(p.ID); n != nil && !strings.HasPrefix(p.Path, "/proc/") {
			n.Name, n.Path = p.Name, p.Path
		}
	}
	if err := f.processes(ctx); err != nil {
		return nil, nil, err
	}
	whole, err := f.proc.WholeHost()
	if partial || f.hidden > 0 || !whole || err != nil {
		f.warn("there may be more: not all processes and mounts of this host can be looked at")
	}
	return f.list(), f.warnings, nil
}

type finder struct {
	proc     procfs.FS
	initial  uint64
	byInode  map[uint64]*Namespace
	hidden   int
	warnings []rdma.Warning
}

func (f *finder) warn(text string) {
	f.warnings = append(f.warnings, rdma.Warning{Object: "network namespaces", Op: "find all", Err: errors.New(text)})
}

// namespace returns the one with that inode, or nil if it is in nobody's way.
func (f *finder) namespace(inode uint64) *Namespace {
	if inode == f.initial {
		return nil
	}
	n := f.byInode[inode]
	if n == nil {
		n = &Namespace{Inode: inode, Processes: []Process{}}
		f.byInode[inode] = n
	}
	return n
}

// processes finds who keeps each of them alive.
func (f *finder) processes(ctx context.Context) error {
	pids, err := f.proc.PIDs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		uses, err := f.proc.Netns(pid)
		if errors.Is(err, fs.ErrPermission) {
			f.hidden++
		}
		for _, use := range uses {
			if n := f.namespace(use.Inode); n != nil {
				n.Processes = append(n.Processes, f.describe(pid, use.Open))
			}
		}
	}
	return nil
}

// describe says who it is, as far as it can still be read.
func (f *finder) describe(pid int, open bool) Process {
	out := Process{PID: pid, Open: open}
	if p, err := f.proc.Process(pid); err == nil {
		out.Comm, out.Unit, out.Pod, out.Container, out.SlurmJob = p.Comm, p.Cgroup.Unit, p.Cgroup.Pod, p.Cgroup.Container, p.Cgroup.SlurmJob
	}
	return out
}

// list returns the namespaces, oldest first as far as inodes tell.
func (f *finder) list() []Namespace {
	var all []Namespace
	for _, n := range f.byInode {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Namespace) int {
		if a.Inode < b.Inode {
			return -1
		}
		return 1
	})
	return all
}
