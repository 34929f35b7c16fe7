package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/lab/wire"
)

// reaper starts processes and collects them, and whatever orphans the kernel hands to PID 1.
//
// os/exec would lose its children to the orphans' wait4(-1), so every process is started and awaited here.
type reaper struct {
	mu      sync.Mutex // held from start to registration: an exit seen earlier waits for it
	waiters map[int]chan wire.Exit
}

// newReaper returns a reaper that works until the machine is powered off.
func newReaper() *reaper {
	r := &reaper{waiters: make(map[int]chan wire.Exit)}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			r.collect()
		}
	}()
	return r
}

func (r *reaper) collect() {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		r.deliver(pid, exitOf(ws))
	}
}

func (r *reaper) deliver(pid int, exit wire.Exit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch, ok := r.waiters[pid]; ok {
		ch <- exit
		delete(r.waiters, pid)
	}
}

// start starts a process. Its end arrives on the channel.
func (r *reaper) start(path string, args []string, attr *os.ProcAttr) (pid int, ended <-chan wire.Exit, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, err := os.StartProcess(path, args, attr)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	ch := make(chan wire.Exit, 1)
	r.waiters[p.Pid] = ch
	return p.Pid, ch, nil
}

// runOnConsole runs one of the guest's own helpers and waits for it.
func (r *reaper) runOnConsole(args []string) (wire.Exit, error) {
	_, ended, err := r.start(args[0], args, &os.ProcAttr{
		Env:   []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return wire.Exit{}, err
	}
	return <-ended, nil
}

func exitOf(ws unix.WaitStatus) wire.Exit {
	if ws.Signaled() {
		return wire.Exit{Status: 128 + int(ws.Signal()), Signal: unix.SignalName(syscall.Signal(ws.Signal()))}
	}
	return wire.Exit{Status: ws.ExitStatus()}
}
