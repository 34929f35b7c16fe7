package resources

import (
	"os/user"
	"strconv"

	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/internal/procfs"
)

// owners finds the processes behind the threads that the kernel names, each once.
// It is not for concurrent use.
type owners struct {
	proc    procfs.FS
	threads map[uint32]Attrs
	users   map[uint32]string
}

func newOwners(proc procfs.FS) *owners {
	return &owners{proc: proc, threads: map[uint32]Attrs{}, users: map[uint32]string{}}
}

// describe says whose an object is. A module of the kernel stands in brackets, as
// kernel threads do.
func (s *owners) describe(l *list, o nldev.Owner) {
	tid, ok := o.PID.Get()
	switch {
	case o.Kernel != "":
		l.text("comm", "["+o.Kernel+"]")
	case ok:
		l.Attrs = append(l.Attrs, s.thread(tid)...)
	}
}

func (s *owners) thread(tid uint32) Attrs {
	known, ok := s.threads[tid]
	if !ok {
		known = s.read(tid)
		s.threads[tid] = known
	}
	return known
}

// read is about one thread. One that has ended meanwhile is a number alone.
func (s *owners) read(tid uint32) Attrs {
	var l list
	pid, err := s.proc.Leader(int(tid))
	if err != nil {
		l.number("tid", uint64(tid))
		return l.Attrs
	}
	l.number("pid", uint64(pid))
	l.number("tid", uint64(tid))
	p, err := s.proc.Process(pid)
	if err != nil {
		return l.Attrs
	}
	l.text("comm", p.Comm)
	if thread, err := s.proc.ThreadName(pid, int(tid)); err == nil && thread != p.Comm {
		l.text("thread", thread)
	}
	l.number("uid", uint64(p.UID))
	l.text("user", s.user(p.UID))
	l.text("unit", p.Cgroup.Unit)
	l.text("pod", p.Cgroup.Pod)
	l.text("container", p.Cgroup.Container)
	l.text("slurm_job", p.Cgroup.SlurmJob)
	return l.Attrs
}

// user returns the name of a user; empty if it has none.
func (s *owners) user(uid uint32) string {
	name, ok := s.users[uid]
	if !ok {
		if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
			name = u.Username
		}
		s.users[uid] = name
	}
	return name
}
