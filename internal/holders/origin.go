package holders

import (
	"github.com/ibctl/ibctl/core/rdma"
)

// origins tells who opened an open file: the kernel names the task that made its
// verbs context, and the files of descriptors tell which are one and the same.
type origins struct {
	creators map[int]int   // by file: the process that made its context
	sharers  map[int][]int // by file: the processes that have it
	parents  map[int]int
	// orphans is how many contexts were made by tasks that are no more, or that
	// cannot be seen from here.
	orphans int
	owners  map[int]bool // the processes that made a context
}

func originsOf(f Facts) origins {
	o := origins{creators: map[int]int{}, sharers: map[int][]int{}, parents: map[int]int{}, owners: map[int]bool{}}
	for _, c := range f.Contexts {
		if pid, ok := c.Owner.PID.Get(); ok {
			o.owners[int(pid)] = true
		} else if c.Owner.Kernel == "" {
			o.orphans++
		}
	}
	for pid, p := range f.Processes {
		o.parents[pid] = p.Parent
	}
	for _, open := range f.Open {
		if open.File == 0 {
			continue
		}
		o.sharers[open.File] = append(o.sharers[open.File], open.PID)
		if isVerbs(open.Name) && o.owners[open.PID] {
			o.creators[open.File] = open.PID
		}
	}
	return o
}

// of tells whether another process opened a file, and which.
func (o origins) of(open OpenFile) (inherited rdma.Opt[bool], creator rdma.Opt[int]) {
	if by, ok := o.creators[open.File]; ok && open.File != 0 {
		return o.relation(open.PID, by)
	}
	if isVerbs(open.Name) && o.owners[open.PID] {
		return rdma.Known(false), creator
	}
	if by, ok := o.ancestor(open); ok {
		return o.relation(open.PID, by)
	}
	if isVerbs(open.Name) && o.orphans > 0 {
		return rdma.Known(true), creator // from a process that has ended
	}
	return inherited, creator
}

func (o origins) relation(pid, by int) (rdma.Opt[bool], rdma.Opt[int]) {
	if pid == by {
		return rdma.Known(false), rdma.Opt[int]{}
	}
	return rdma.Known(true), rdma.Known(by)
}

// ancestor finds, among those who share a file, the one from whom all others
// descend. He had it first.
func (o origins) ancestor(open OpenFile) (pid int, ok bool) {
	sharers := o.sharers[open.File]
	if open.File == 0 || len(sharers) < 2 {
		return 0, false
	}
	for _, first := range sharers {
		if o.isAncestorOfAll(first, sharers) {
			return first, true
		}
	}
	return 0, false
}

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
