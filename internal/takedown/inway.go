package takedown

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/holders"
)

// inTheWay tells whether h keeps a device from being taken down. Who would be cut
// off is, unless that was accepted.
func (j *Job) inTheWay(h holders.Holder) bool {
	switch {
	case h.Kind == holders.KindClient || h.Kind == holders.KindSubDevice:
		return false // they are taken off, and drained, first
	case h.Waits:
		return true
	}
	return h.Effect == holders.CutOff && !j.CutOff
}

// BusyError says that a holder is in the way. It is EBUSY.
type BusyError struct {
	Device string
	Holder holders.Holder
	// Why says why it was not evicted, if that was asked for.
	Why string
}

// Error implements error.
func (e *BusyError) Error() string {
	text := fmt.Sprintf("%s: %s %s: %s", e.Device, Who(e.Holder), fate(e.Holder), e.Holder.Reason)
	if e.Why != "" {
		text += "; " + e.Why
	}
	return text
}

// Unwrap returns EBUSY.
func (e *BusyError) Unwrap() error { return syscall.EBUSY }

// fate says what a removal would do, in a sentence whose subject is the holder.
func fate(h holders.Holder) string {
	switch {
	case h.Effect == holders.Blocks:
		return "would block a removal"
	case h.Waits:
		return "may block a removal"
	case h.Effect == holders.CutOff:
		return "would be cut off"
	case h.Effect == holders.Told:
		return "would be told"
	}
	return "would not notice"
}

// Who names a holder: "ib_write_bw (pid 204)".
func Who(h holders.Holder) string {
	name := cmp.Or(h.Name, "a process that cannot be seen")
	if pid, ok := h.PID.Get(); ok {
		name = fmt.Sprintf("%s (pid %d%s)", cmp.Or(h.Name, "process"), pid, of(h))
	}
	if h.Kind == holders.KindKernel {
		name = "the kernel's " + name
	}
	return name
}

// of says whose process it is, if that is somebody who would start it again.
func of(h holders.Holder) string {
	switch {
	case h.Pod != "":
		return ", pod " + h.Pod
	case h.SlurmJob != "":
		return ", slurm job " + h.SlurmJob
	case strings.HasSuffix(h.Unit, ".service"):
		return ", " + h.Unit
	}
	return ""
}

// Busy is everybody who is in the way.
type Busy []error

// Error implements error.
func (b Busy) Error() string { return errors.Join(b...).Error() }

// Unwrap lets errors.Is and errors.As find each of them.
func (b Busy) Unwrap() []error { return b }

// pidOf returns the process of a holder that can be signalled.
func pidOf(h holders.Holder) rdma.Opt[int] {
	if h.Kind != holders.KindProcess {
		return rdma.Opt[int]{}
	}
	return h.PID
}
