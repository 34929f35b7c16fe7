package supervisor

import (
	"errors"
	"fmt"
)

// The reasons for which a plugin does not start, or ends. They are found with
// errors.Is in a [StartError] or [DeadError].
var (
	// ErrRefused: the executable is not one that ibctl may run. Trying again
	// without changing the file is of no use.
	ErrRefused = errors.New("executable refused")
	// ErrHandshake: what the process printed first is not go-plugin's handshake.
	ErrHandshake = errors.New("not an ibctl plugin: bad handshake")
	// ErrVersion: the plugin speaks another version of the contract.
	ErrVersion = errors.New("plugin speaks another version of the contract")
	// ErrName: the plugin serves another client than the one asked for.
	ErrName = errors.New("plugin serves another client")
	// ErrExited: the process ended by itself.
	ErrExited = errors.New("process exited")
	// ErrDeadline: the plugin did not answer in time.
	ErrDeadline = errors.New("deadline passed")
	// ErrBroken: the plugin broke off a conversation, or did not keep to it.
	ErrBroken = errors.New("contract broken")
	// ErrHastened: the caller did not want to wait for the plugin any longer.
	ErrHastened = errors.New("not waited for any longer")
	// ErrNotRunning: there is no process to ask.
	ErrNotRunning = errors.New("plugin is not running")
	// ErrClosed: the supervisor is closed.
	ErrClosed = errors.New("supervisor is closed")
)

// StartError is a plugin that did not start. Its process, if there was one, is
// gone.
type StartError struct {
	Plugin string
	Reason error
	// Output holds the last lines that the process wrote, and LastWords the one
	// of them that most likely says why.
	Output    []string
	LastWords string
}

// Error gives the reason and the last words.
func (e *StartError) Error() string {
	text := fmt.Sprintf("start plugin %s: %v", e.Plugin, e.Reason)
	if e.LastWords != "" {
		text += ": " + abridged(e.LastWords)
	}
	return text
}

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Reason }

// DeadError is an operation that ended with the plugin's death instead of its
// answer. The whole process tree is gone, as far as [Guarantee] reaches.
type DeadError struct {
	Plugin string
	// Op is the operation and its object, such as "remove rxe0".
	Op string
	// Reason is why the process was killed, or ErrExited with its status.
	Reason error
}

// Error names plugin, operation and reason.
func (e *DeadError) Error() string {
	return fmt.Sprintf("plugin %s: %s: process ended: %v", e.Plugin, e.Op, e.Reason)
}

// Unwrap returns the reason.
func (e *DeadError) Unwrap() error { return e.Reason }

// notRunningError is a question to a client that has no process; it says why.
type notRunningError struct {
	plugin string
	state  State
	last   error
}

func (e *notRunningError) Error() string {
	text := fmt.Sprintf("plugin %s is not running (%s)", e.plugin, e.state)
	if e.last != nil {
		text += ": " + e.last.Error()
	}
	return text
}

func (e *notRunningError) Is(target error) bool { return target == ErrNotRunning }

func (e *notRunningError) Unwrap() error { return e.last }
