package holders

import (
	"slices"

	"github.com/ibctl/ibctl/core/rdma"
)

// origins tells who opened an open file: the kernel names the task that made a
// verbs context, and comparing tells which descriptors are one and the same file.
type origins struct {
	sharers map[int][]int // by file: the processes that have it, each once
	parents map[int]int
	makers  map[int]bool // the processes that made a context
	// orphans is how many contexts were made by tasks that are no more, or that
	// cannot be seen from here.
	orphans int
}

func originsOf(f Facts) origins {
	o := origins{sharers: map[int][]int{}, parents: map[int]int{}, makers: map[int]bool{}}
	for _, c := range f.Contexts {
		if pid, ok := c.Owner.PID.Get(); ok {
			o.makers[int(pid)] = true
		} else if c.Owner.Kernel == "" {
			o.orphans++
		}
	}
	for pid, p := range f.Processes {
		o.parents[pid] = p.Parent
	}
	for _, open := range f.Open {
		if open.File != 0 && !slices.Contains(o.sharers[open.File], open.PID) {
			o.sharers[open.File] = append(o.sharers[open.File], open.PID)
		}
	}
	return o
}

// describe says whether another process opened a file, and which.
func (o origins) describe(open OpenFile) Descriptor {
	d := Descriptor{FD: open.FD, Name: open.Name}
	by, known := o.opener(open)
	switch {
	case known && by == open.PID:
		d.Inherited = rdma.Known(false)
	case known:
		d.Inherited, d.Creator = rdma.Known(true), rdma.Known(by)
	case isVerbs(open.Name) && o.orphans > 0:
		d.CreatorEnded = true
	}
	return d
}

// opener finds who opened a file. If one process alone has it, its own context
// tells; of several, the only one who made a context, or from whom all others
// descend.
func (o origins) opener(open OpenFile) (pid int, ok bool) {
	if !o.isShared(open) {
		return open.PID, isVerbs(open.Name) && o.makers[open.PID]
	}
	sharers := o.sharers[open.File]
	makers := slices.DeleteFunc(slices.Clone(sharers), func(pid int) bool { return !o.makers[pid] })
	if isVerbs(open.Name) && len(makers) == 1 {
		return makers[0], true
	}
	for _, first := range sharers {
		if o.isAncestorOfAll(first, sharers) {
			return first, true
		}
	}
	return 0, false
}

func (o origins) isShared(open OpenFile) bool { return open.File != 0 && len(o.sharers[open.File]) > 1 }

func (o origins) isAncestorOfAll(first int, sharers []int) bool {
	for _, pid := range sharers {
		for pid != first {
			parent, known := o.parents[pid]
			if !known || parent == pid {
				return false
			}
			pid = parent
		}
	}
	return true
}
