package core

import "errors"

// What the registry refuses, for use with errors.Is.
var (
	// ErrInCallback is returned to a caller that tries to register, unregister
	// or change something from within a client's Add, Remove or Changed. The
	// kernel would deadlock there.
	ErrInCallback = errors.New("not allowed from within a client's callback")

	// ErrInvalid means that what was to be registered has no name, or that an
	// update contradicts what does not change in an update.
	ErrInvalid = errors.New("invalid")

	// ErrExists means that a registered device or client has the name or index.
	ErrExists = errors.New("already registered")

	// ErrNotRegistered means that there is no such device or client.
	ErrNotRegistered = errors.New("not registered")

	// ErrNotAttached means that the client does not drive the device: its Add
	// has not returned, failed, or its Remove has begun.
	ErrNotAttached = errors.New("not attached")

	// ErrLeaving means that the device or client is being unregistered. It will
	// not change its mind.
	ErrLeaving = errors.New("being unregistered")

	// ErrDrained means that the device is out of service: no client drives it and
	// nobody can lease it, until it is undrained.
	ErrDrained = errors.New("drained")

	// ErrDraining means that somebody else is at work to drain the device.
	ErrDraining = errors.New("being drained")

	// ErrStale means that the ID is of an earlier device, which is gone.
	ErrStale = errors.New("gone: the ID is of an earlier generation")
)

// Error is what the registry's methods return: what was to be done, to what,
// and why it was not. It unwraps to one of the errors above, to the error of a
// client, or to that of a context.
type Error struct {
	// Op is the operation: "register", "rename", "remove client cm from".
	Op string
	// Object is what it was about: "device mlx5_0", "client roce".
	Object string
	Err    error
}

// Error implements error: "register device mlx5_0: already registered as #3.17".
func (e *Error) Error() string { return e.Op + " " + e.Object + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
