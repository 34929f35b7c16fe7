package holders

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
)

// usage is what one process has of a device.
type usage struct {
	pid         int
	descriptors []Descriptor
	objects     map[string]int
	verbs       []string // names of the verbs devices that it has open
	mads        []string // likewise umad and issm
	told        int      // CM ids whose owner hears of a removal
	listeners   int      // CM ids on any address, whose owner does not
}

// usages collects, by pid, what processes have of the device.
func usages(f Facts) map[int]*usage {
	all := map[int]*usage{}
	of := func(pid int) *usage {
		if all[pid] == nil {
			all[pid] = &usage{pid: pid, objects: map[string]int{}}
		}
		return all[pid]
	}
	origins := originsOf(f)
	for _, o := range f.Open {
		u := of(o.PID)
		u.descriptors = append(u.descriptors, origins.describe(o))
		if isVerbs(o.Name) {
			u.verbs = append(u.verbs, o.Name)
		} else {
			u.mads = append(u.mads, o.Name)
		}
	}
	eachOwned(f, func(pid int, kind string) { of(pid).objects[kind]++ })
	for _, id := range f.CMIDs {
		pid, ok := id.Owner.PID.Get()
		switch {
		case !ok:
		case isWildcard(id):
			of(int(pid)).listeners++
		default:
			of(int(pid)).told++
		}
	}
	return all
}

// eachOwned calls f for each object of a process that the kernel names.
func eachOwned(f Facts, each func(pid int, kind string)) {
	count := func(o nldev.Owner, kind string) {
		if pid, ok := o.PID.Get(); ok {
			each(int(pid), kind)
		}
	}
	for _, c := range f.Contexts {
		count(c.Owner, string(nldev.Contexts))
	}
	for kind, list := range f.Objects {
		for _, o := range list {
			count(o.Owner, string(kind))
		}
	}
	for _, q := range f.QPs {
		count(q.Owner, "qp")
	}
	for _, id := range f.CMIDs {
		count(id.Owner, "cm_id")
	}
}

func isVerbs(name string) bool { return strings.HasPrefix(name, "uverbs") }

// processHolders judges the processes, those of ibctl's clients excepted.
func processHolders(f Facts) []Holder {
	clients := clientPIDs(f)
	all := usages(f)
	var holders []Holder
	for _, pid := range slices.Sorted(maps.Keys(all)) {
		if clients[pid] != "" {
			continue
		}
		h := Holder{Device: f.Device.Name, Kind: KindProcess, Process: describe(f, pid)}
		h.Name = f.Processes[pid].Comm
		h.fill(all[pid])
		h.judge(f, all[pid])
		holders = append(holders, h)
	}
	return append(holders, unseenHolders(f)...)
}

func (h *Holder) fill(u *usage) {
	h.Descriptors = u.descriptors
	if len(u.objects) > 0 {
		h.Objects = u.objects
	}
}

// judge says what becomes of a process.
func (h *Holder) judge(f Facts, u *usage) {
	verbs := join(slices.Compact(slices.Sorted(slices.Values(u.verbs))))
	if verbs == "" && u.objects[string(nldev.Contexts)] > 0 {
		verbs = "a verbs context"
	}
	taken, known := f.Driver.Disassociates.Get()
	switch {
	case verbs != "" && !taken:
		h.Waits = true
		h.Effect, h.Reason = Blocks, "the removal waits until "+verbs+" is closed"+driverReason(f.Driver, known)
		if u.told > 0 {
			h.Effect = Told
			h.Reason = "is told by the connection manager; " + h.Reason
		}
	case verbs != "":
		h.Effect, h.Reason = CutOff, "the kernel takes "+verbs+" away: what it does there fails with EIO"
	case len(u.mads) > 0:
		h.Effect, h.Reason = CutOff, "the kernel takes "+join(u.mads)+" away"
	case u.told > 0:
		h.Effect, h.Reason = Told, fmt.Sprintf("is told by the connection manager (%s)", ids(u.told))
	case u.listeners > 0:
		h.Effect, h.Reason = Harmless, "listens on any address, and will again when the device returns"
	default:
		h.Effect, h.Waits, h.Reason = Blocks, true, "has objects on the device, and by what is not known"
	}
}

func driverReason(d Driver, known bool) string {
	switch {
	case d.Module == "":
		return ", for all that is known of its driver"
	case !known:
		return ", for all that is known of " + d.Module
	}
	return ": " + d.Module + " cannot take it away"
}

func ids(n int) string {
	if n == 1 {
		return "1 id"
	}
	return fmt.Sprintf("%d ids", n)
}

// describe says which process it is, as far as it could be read.
func describe(f Facts, pid int) Process {
	p := Process{PID: rdma.Known(pid)}
	read, ok := f.Processes[pid]
	if !ok {
		return p
	}
	p.Started, p.Command, p.UID = read.Started, read.Command, rdma.Known(read.UID)
	p.Unit, p.Pod, p.Container, p.SlurmJob = read.Cgroup.Unit, read.Cgroup.Pod, read.Cgroup.Container, read.Cgroup.SlurmJob
	return p
}

func clientPIDs(f Facts) map[int]string {
	names := map[int]string{}
	for _, c := range f.Clients {
		if pid, ok := c.PID.Get(); ok {
			names[pid] = c.Name
		}
	}
	return names
}

// clientHolders are ibctl's own, whose Remove runs before the kernel's removal.
func clientHolders(f Facts) []Holder {
	all := usages(f)
	var holders []Holder
	for _, c := range f.Clients {
		h := Holder{Device: f.Device.Name, Kind: KindClient, Name: c.Name, Effect: Told, Reason: "its Remove comes first"}
		if pid, ok := c.PID.Get(); ok {
			h.Process = describe(f, pid)
			if u := all[pid]; u != nil {
				h.fill(u)
			}
		}
		holders = append(holders, h)
	}
	return holders
}
