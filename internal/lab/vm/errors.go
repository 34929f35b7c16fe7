package vm

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons why a run ends without an exit status. A Stopped error wraps one of them, or the context's error.
var (
	ErrBoot    = errors.New("the guest did not come up in time")
	ErrTimeout = errors.New("the run took too long")
	ErrSilence = errors.New("the command printed nothing for too long")
	ErrDied    = errors.New("the guest went down before the command ended")
	ErrGuest   = errors.New("the guest could not run the command")
)

// Stopped is the error of a run whose guest was stopped, or stopped by itself, before the command had ended.
type Stopped struct {
	Reason  error
	Detail  string // particulars; may be empty
	Release string // of the kernel
	Console []byte // the whole log
	Hang    int    // offset in Console of what the kernel was asked to say about a hang; 0 if it was not asked
}

// How much of the console an error quotes at most: its last lines, or what was said about a hang.
const (
	consoleTail = 60
	consoleHang = 250
)

func (e *Stopped) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lab: kernel %s: %v", e.Release, e.Reason)
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	for _, line := range e.quote() {
		b.WriteString("\n  | " + line)
	}
	return b.String()
}

func (e *Stopped) Unwrap() error { return e.Reason }

func (e *Stopped) quote() []string {
	if e.Hang > 0 {
		lines := lastLines(string(e.Console[e.Hang:]), consoleHang)
		return append([]string{"the console, from when the guest was asked where it hangs:"}, lines...)
	}
	if len(e.Console) == 0 {
		return []string{"the console is empty"}
	}
	return append([]string{"the last lines of the console:"}, lastLines(string(e.Console), consoleTail)...)
}

func lastLines(text string, n int) []string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
