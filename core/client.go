package core

import "context"

// Client drives devices between Add and Remove. A client in a process of its
// own is represented here by the object that talks to that process.
//
// The registry calls a client's methods for different devices at the same
// time; for one device they never overlap. No registry lock is held during a
// call, so both may use the registry's reading methods; neither may register
// or unregister anything, by the ctx it was given: that is refused with
// [ErrInCallback].
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
	Add(ctx context.Context, dev Device) (data any, err error)

	// Remove stops driving dev. When it returns, none of the client's code
	// touches dev, nor ever will again: that is the whole contract, and the
	// registry waits for it without a limit of its own. A client that cannot
	// otherwise keep the promise must make it true by other means before it
	// returns, such as by ending its process; the error then says so. The
	// device is off the client either way.
	Remove(ctx context.Context, dev Device, data any) error
}
