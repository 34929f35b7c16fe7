package core

import "sync"

// Registry knows which devices and clients exist and brings them together. All
// its methods may be called by any number of goroutines at once. It starts no
// goroutine that outlives the call, so there is nothing to close.
//
// The methods that change something refuse, with [ErrInCallback], a ctx that a
// client was given by the same registry. A client that smuggles such a call past
// this, by another ctx or another goroutine, and waits for it, deadlocks.
type Registry struct {
	// The package comment says how the two mutexes relate. They are Lockers so
	// that tests can show what becomes of a registry with one lock for both
	// lists, and decide who gets a lock when.
	clientsMu sync.Locker
	clients   []*client // in order of registration, those leaving included

	devicesMu sync.Locker
	devices   deviceTable

	log      eventLog
	parallel int
}

// Options are the knobs of a Registry; the zero value suits most.
type Options struct {
	// EventLog is how many events are kept for those who read them late; 4096
	// if zero.
	EventLog int
	// Parallel is for how many devices at once RegisterClient and
	// UnregisterClient work; 16 if zero.
	Parallel int
}

// NewRegistry returns a registry without devices or clients.
func NewRegistry(opts Options) *Registry {
	return newRegistry(opts, new(sync.Mutex), new(sync.Mutex))
}

func newRegistry(opts Options, clientsMu, devicesMu sync.Locker) *Registry {
	if opts.EventLog <= 0 {
		opts.EventLog = 4096
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 16
	}
	return &Registry{
		clientsMu: clientsMu,
		devicesMu: devicesMu,
		devices:   newDeviceTable(),
		log:       newEventLog(opts.EventLog),
		parallel:  opts.Parallel,
	}
}
