package core

import "context"

// Client drives devices between Add and Remove. A client in a process of its
// own is represented here by the object that talks to that process.
//
// The registry calls a client's methods for different devices at the same
// time; for one device they never overlap, nor do those of two clients. No
// registry lock is held during a call, so both may use the registry's reading
// methods; neither may register or unregister anything, by the ctx it was
// given: that is refused with [ErrInCallback].
//
// The ctx of a call carries the values of the ctx of whichever registry call
// made it, most often the one that asked for it.
type Client interface {
	// Name is unique among the registered clients and does not change.
	Name() string

	// Add starts driving dev. The data it returns, which may be nil, becomes
	// visible through the registry once Add has returned, and is handed back to
	// Remove. If Add fails the client is not attached: it hears no more of
	// dev, and Remove is not called.
	//
	// ctx ends when the device or the client is on its way out; Add should then
	// give up, and Remove follows only if it returned nil all the same.
	// context.Cause says which of the two is leaving. It also ends when Add has
	// returned: what is to run until Remove needs a ctx of its own.
	Add(ctx context.Context, dev Device) (data any, err error)

	// Remove stops driving dev. When it returns, none of the client's code
	// touches dev, nor ever will again: that is the whole contract, and the
	// registry waits for it without a limit of its own. A client that cannot
	// otherwise keep the promise must make it true by other means before it
	// returns, such as by ending its process; the error then says so. The
	// device is off the client either way.
	//
	// ctx has values but no end: nothing the registry knows of may cut a Remove
	// short.
	Remove(ctx context.Context, dev Device, data any) error
}

// ChangeHandler is implemented by clients that want to hear of changes to the
// devices they drive.
type ChangeHandler interface {
	// Changed says that something about dev may have changed. It is a hint: the
	// client looks again for itself. Changes that happen while the client is
	// busy come as one call with all bits set.
	//
	// It runs only between the client's Add and Remove for dev and never at the
	// same time as either. A change noted while Add runs is told after it; one
	// noted earlier is not, since Add finds the present state. ctx ends as for
	// Add. An error is recorded in the event log, and the client stays
	// attached.
	Changed(ctx context.Context, dev Device, data any, what Change) error
}
