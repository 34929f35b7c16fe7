package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// stuckAfter is when a killed process that is still there is worth a word. Dying
// takes milliseconds, unless the kernel is busy on the process's behalf.
const stuckAfter = 5 * time.Second

// complain says which process will not die, and what the kernel is doing for it:
// SIGKILL has to wait for a system call that cannot be interrupted. It ends with
// the process.
func (p *process) complain() {
	late := time.NewTimer(stuckAfter)
	defer late.Stop()
	select {
	case <-p.done:
		return
	case <-late.C:
	}
	p.log.Warn("plugin was killed, but the kernel does not let go of it", "pid", p.proc.Pid,
		"state", stateOf(p.proc.Pid), "in", waitsIn(p.proc.Pid), "reason", p.reason)
	<-p.done
}

// stateOf returns the State line of /proc/PID/status: "D (disk sleep)".
func stateOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if state, ok := strings.CutPrefix(line, "State:"); ok {
			return strings.TrimSpace(state)
		}
	}
	return ""
}

// waitsIn returns the kernel function that a process sleeps in, as far as we may
// know it (/proc/PID/wchan, proc_pid_wchan(5)).
func waitsIn(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
	if err != nil || bytes.Equal(text, []byte("0")) {
		return ""
	}
	return string(text)
}
