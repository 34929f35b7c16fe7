package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// group takes the process group for the tree. It is what every host can do.
type group struct {
	mu     sync.Mutex
	reaped bool
}

func (*group) guarantee() Guarantee { return GuaranteeProcessGroup }

func (*group) prepare(attr *syscall.SysProcAttr) error {
	base(attr)
	return nil
}

// kill holds the lock so that bury does not reap the leader meanwhile: after
// that, the number could be somebody else's.
func (g *group) kill(p *os.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reaped {
		_ = unix.Kill(-p.Pid, unix.SIGKILL)
		_ = p.Kill()
	}
}

// bury kills the group while its leader is still unreaped, for the same reason.
// The kernel holds back forks while it signals a group, so that none escapes.
func (g *group) bury(p *os.Process) (*os.ProcessState, error) {
	if err := waitZombie(p); err != nil {
		return nil, err
	}
	g.kill(p)
	state, err := g.reap(p)
	if err != nil {
		return nil, err
	}
	awaitGroup(p.Pid)
	return state, nil
}

func (g *group) reap(p *os.Process) (*os.ProcessState, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reaped = true
	return p.Wait()
}

func (*group) release() {}

// awaitGroup returns when the group has no living member that we may signal. A
// killed process takes a moment to go, or longer if it sleeps in the kernel. One
// that changed its user to get away from us (EPERM) is not waited for: that is
// part of the guarantee that this level lacks.
func awaitGroup(pgid int) {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		// The signal reaches zombies too, and where init does not reap, as in many
		// containers, they stay for good: hence the second look.
		if unix.Kill(-pgid, 0) != nil || reused(pgid) || !groupLives(pgid) {
			return
		}
		time.Sleep(pause)
	}
}

// reused tells whether the number of a group whose leader is reaped belongs to
// somebody else by now. The kernel gives it away again only once the group is
// empty, and first of all as a pid.
func reused(pgid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pgid))
	return err == nil
}

// groupLives looks in /proc for a member that is no zombie.
func groupLives(pgid int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return false
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		if state, group, ok := parseStat(text); ok && group == pgid && state != 'Z' && state != 'X' {
			return true
		}
	}
	return false
}

// parseStat reads state and process group from /proc/PID/stat (proc_pid_stat(5)).
// The command's name before them may contain anything, ")" included.
func parseStat(text []byte) (state byte, pgrp int, ok bool) {
	rest := text[bytes.LastIndexByte(text, ')')+1:]
	fields := bytes.Fields(rest)
	if len(fields) < 3 || len(fields[0]) != 1 {
		return 0, 0, false
	}
	pgrp, err := strconv.Atoi(string(fields[2]))
	return fields[0][0], pgrp, err == nil
}
