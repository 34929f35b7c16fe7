package core

import (
	"errors"
	"time"
)

// tenure is the time in which a device or client is on the registry's list:
// registered while its gate is open, leaving once that is shut, gone when the
// last user has left and nothing waits any more.
//
// The mutex of its list guards it; the channels may be waited for without.
type tenure struct {
	// users are those to be waited for: a device's leases, a client's
	// attachments.
	users gate
	// ending is closed when the gate is shut, gone when it is over.
	ending, gone chan struct{}
	// since is when it was registered, or began to leave.
	since time.Time
	// complaints are the errors of Removes on the way out.
	complaints []error
}

func newTenure() tenure {
	return tenure{users: newGate(), ending: make(chan struct{}), gone: make(chan struct{}), since: time.Now()}
}

// leaving tells whether the mark "registered" is cleared.
func (t *tenure) leaving() bool { return t.users.shut }

// leave clears the mark and tells whether this call did it.
func (t *tenure) leave() bool {
	if !t.users.shutOnce() {
		return false
	}
	t.since = time.Now()
	close(t.ending)
	return true
}

// finish says that it is over, and tells whether this call did.
func (t *tenure) finish() bool {
	if isClosed(t.gone) {
		return false
	}
	close(t.gone)
	return true
}

// complain keeps what a Remove said, for those who wait for the end.
func (t *tenure) complain(err error) {
	if t.leaving() {
		t.complaints = append(t.complaints, err)
	}
}

// verdict is what those who waited for the end are told.
func (t *tenure) verdict() error { return errors.Join(t.complaints...) }
