package procfs

import (
	"fmt"
	"strings"
)

// Task is a thread, and where it is in the kernel.
type Task struct {
	TID   int
	Comm  string
	State byte
	// Waiting is the kernel function that it sleeps in; empty if it runs, or
	// where the kernel does not tell.
	Waiting string
	// Stack is its kernel stack, innermost function first; empty where it may
	// not be read (it takes CAP_SYS_ADMIN).
	Stack []string
}

// Blocked tells whether no signal reaches it.
func (t Task) Blocked() bool { return t.State == 'D' }

// Tasks lists the threads of a process.
func (f FS) Tasks(pid int) ([]Task, error) {
	dir := fmt.Sprintf("%d/task", pid)
	tids, err := f.numbers(dir)
	if err != nil {
		return nil, fmt.Errorf("list threads of process %d: %w", pid, err)
	}
	var all []Task
	for _, tid := range tids {
		text, err := f.read(pid, fmt.Sprintf("task/%d/stat", tid))
		if err != nil {
			continue // it has ended
		}
		p, err := parseStat(text)
		if err != nil {
			return nil, fmt.Errorf("read stat of thread %d: %w", tid, err)
		}
		all = append(all, Task{
			TID: tid, Comm: p.Comm, State: p.State,
			Waiting: f.waiting(pid, tid), Stack: f.stack(pid, tid),
		})
	}
	return all, nil
}

func (f FS) waiting(pid, tid int) string {
	text, err := f.read(pid, fmt.Sprintf("task/%d/wchan", tid))
	if err != nil || string(text) == "0" {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// stack takes "[<0>] " off each line, where addresses once stood.
func (f FS) stack(pid, tid int) []string {
	text, err := f.read(pid, fmt.Sprintf("task/%d/stack", tid))
	if err != nil {
		return nil
	}
	var frames []string
	for line := range strings.Lines(string(text)) {
		_, frame, found := strings.Cut(strings.TrimSpace(line), "] ")
		if found {
			frames = append(frames, frame)
		}
	}
	return frames
}

// ThreadName returns the name of a thread of a process, which the thread may have
// given itself.
func (f FS) ThreadName(pid, tid int) (string, error) {
	text, err := f.read(pid, fmt.Sprintf("task/%d/comm", tid))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
