package takedown

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/procfs"
)

// StuckError says that the kernel does not finish an operation. It goes on with
// it by itself, in the process PID, as soon as it can. It is EBUSY.
type StuckError struct {
	Operation Operation
	PID       int
	Waited    time.Duration
	// Where is where in the kernel it waits.
	Where Place
	// Holders are those who have the device, and why it waits.
	Holders []holders.Holder
}

// Error implements error.
func (e *StuckError) Error() string {
	text := fmt.Sprintf("%v: the kernel has not finished after %v and goes on by itself; process %d is in %s",
		e.Operation, e.Waited.Round(100*time.Millisecond), e.PID, e.Where)
	if len(e.Holders) > 0 {
		text += "; the device is held by " + whoAll(e.Holders)
	}
	return text
}

// Unwrap returns EBUSY.
func (e *StuckError) Unwrap() error { return syscall.EBUSY }

// Place is the functions of the kernel that a process is in, the innermost first.
type Place []string

// shownFrames is how many of them people see.
const shownFrames = 5

// String returns "wait_for_completion < ib_uverbs_remove_one < …".
func (p Place) String() string {
	switch {
	case len(p) == 0:
		return "a place that cannot be read"
	case len(p) > shownFrames:
		return strings.Join(p[:shownFrames], " < ") + " < …"
	}
	return strings.Join(p, " < ")
}

// whereIs finds the thread of a process that no signal reaches, and where in the
// kernel it is.
func whereIs(pid int) Place {
	tasks, err := procfs.Live().Tasks(pid)
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		switch {
		case !t.Blocked():
		case len(t.Stack) > 0:
			return functions(t.Stack)
		case t.Waiting != "":
			return Place{t.Waiting}
		}
	}
	return nil
}

// functions strips offsets and modules: "ib_uverbs_remove_one+0x1a5/0x1e0
// [ib_uverbs]".
func functions(stack []string) Place {
	var p Place
	for _, frame := range stack {
		name, _, _ := strings.Cut(frame, "+")
		p = append(p, name)
	}
	return p
}
