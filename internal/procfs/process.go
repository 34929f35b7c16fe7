package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Process is one process.
type Process struct {
	PID, Parent int
	// Comm is the name that the kernel keeps, at most 15 octets. Anybody may
	// give his process any name: escape it before it reaches a terminal.
	Comm string
	// Command is the argument list, as far as the process has not overwritten
	// it; empty for a kernel thread.
	Command []string
	// UID is the effective user.
	UID uint32
	// State is a letter: R, S, D, T, Z and others (proc_pid_stat(5)).
	State byte
	// Threads is how many there are, the first one included even if it ended.
	Threads int
	// Started counts clock ticks from boot to the start; with the pid it names
	// the process for good.
	Started uint64
	// Cgroup says whose it is.
	Cgroup Cgroup
}

// Process reads what is known of a process. ErrGone says that it has ended.
func (f FS) Process(pid int) (Process, error) {
	text, err := f.read(pid, "stat")
	if err != nil {
		return Process{}, err
	}
	p, err := parseStat(text)
	if err != nil {
		return Process{}, fmt.Errorf("read stat of process %d: %w", pid, err)
	}
	if p.UID, err = f.uid(pid); err != nil {
		return Process{}, err
	}
	text, err = f.read(pid, "cmdline")
	if err != nil {
		return Process{}, err
	}
	p.Command = splitArguments(text)
	// A kernel without control groups has no such file.
	if text, err := f.read(pid, "cgroup"); err == nil {
		p.Cgroup = ParseCgroup(string(text))
	}
	return p, nil
}

// Started returns Process.Started alone.
func (f FS) Started(pid int) (uint64, error) {
	text, err := f.read(pid, "stat")
	if err != nil {
		return 0, err
	}
	p, err := parseStat(text)
	return p.Started, err
}

var errStat = errors.New("not the form that proc_pid_stat(5) describes")

// parseStat reads "171 (ib_write_bw) S 1 …". The name may hold anything, so it
// ends at the last parenthesis.
func parseStat(text []byte) (Process, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Process{}, errStat
	}
	rest := strings.Fields(string(text[end+1:]))
	const state, ppid, threads, started = 0, 1, 17, 19 // numbers of the man page, less 3
	if len(rest) <= started || len(rest[state]) != 1 {
		return Process{}, errStat
	}
	p := Process{Comm: string(text[open+1 : end]), State: rest[state][0]}
	var errs [4]error
	p.PID, errs[0] = strconv.Atoi(strings.TrimSpace(string(text[:open])))
	p.Parent, errs[1] = strconv.Atoi(rest[ppid])
	p.Threads, errs[2] = strconv.Atoi(rest[threads])
	p.Started, errs[3] = strconv.ParseUint(rest[started], 10, 64)
	if errors.Join(errs[:]...) != nil {
		return Process{}, errStat
	}
	return p, nil
}

// Leader returns the process that a thread belongs to. Where the kernel names
// the maker of something it names a thread.
func (f FS) Leader(tid int) (int, error) {
	fields, err := f.status(tid, "Tgid:", 2)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0, fmt.Errorf("read status of thread %d: process %q", tid, fields[1])
	}
	return pid, nil
}

// uid reads the second number of "Uid: real effective saved fs".
func (f FS) uid(pid int) (uint32, error) {
	fields, err := f.status(pid, "Uid:", 3)
	if err != nil {
		return 0, err
	}
	uid, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read status of process %d: user %q", pid, fields[2])
	}
	return uint32(uid), nil
}

// status returns the line of /proc/PID/status that begins with key, in at least n
// words.
func (f FS) status(pid int, key string, n int) ([]string, error) {
	text, err := f.read(pid, "status")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= n && fields[0] == key {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("read status of process %d: no %s in it", pid, strings.TrimSuffix(key, ":"))
}

func splitArguments(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}
