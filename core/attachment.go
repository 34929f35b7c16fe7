package core

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// client is a Client from the start of its registration to the end of it.
type client struct {
	impl    Client
	handler ChangeHandler // nil if impl is none
	name    string

	// clientsMu guards these. The users of a client are its attachments, those
	// that failed excepted.
	tenure
	attachments map[*device]*attachment
}

// attachment is one client on one device: from the decision to call Add until
// Remove has returned. One that failed remains to be seen, and counts no more.
type attachment struct {
	client *client
	device *device
	// gone is closed when nothing will be called any more.
	gone chan struct{}

	// clientsMu guards these.
	state   AttachState
	since   time.Time
	data    any
	err     error
	pending Change                  // noted, and not told yet
	recall  context.CancelCauseFunc // of the call that runs, unless it is Remove
}

func (a *attachment) enter(s AttachState) { a.state, a.since = s, time.Now() }

// AttachState says how far a client has come with a device.
type AttachState string

const (
	// AttachAdding means that the client's Add runs.
	AttachAdding AttachState = "adding"
	// AttachAttached means that Add has returned and Remove has not begun.
	AttachAttached AttachState = "attached"
	// AttachRemoving means that the client's Remove runs.
	AttachRemoving AttachState = "removing"
	// AttachFailed means that Add failed: the client does not drive the device.
	AttachFailed AttachState = "failed"
)

// Attachment is one client on one device.
type Attachment struct {
	Client string
	Device ID
	State  AttachState
	// Since is when it came into State.
	Since time.Time
	// Err is why Add failed.
	Err error
}

// Attachments returns who is on what, devices and clients that are leaving
// included: by device, and within a device in the order of the Adds.
func (r *Registry) Attachments() []Attachment {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	var list []Attachment
	for _, c := range r.clients {
		for _, a := range c.attachments {
			list = append(list, Attachment{c.name, a.device.id, a.state, a.since, a.err})
		}
	}
	slices.SortStableFunc(list, func(a, b Attachment) int {
		return cmp.Compare(a.Device.Generation, b.Device.Generation)
	})
	return list
}

// Data returns what the client's Add returned for the device, from the moment
// it did until the client's Remove begins. That the device is leaving does not
// matter: a client may ask for the data of those added before it until its own
// Remove has returned.
//
// Nothing keeps the data alive afterwards: who uses it must be known to the
// client, which waits for its users in Remove.
func (r *Registry) Data(client string, id ID) (any, error) {
	data, err := r.data(client, id)
	if err != nil {
		return nil, &Error{"get data of client " + client + " on", "device " + id.String(), err}
	}
	return data, nil
}

func (r *Registry) data(name string, id ID) (any, error) {
	d, err := r.find(id)
	if err != nil {
		return nil, err
	}
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	c := r.client(name)
	if c == nil {
		return nil, ErrNotRegistered
	}
	if a := c.attachments[d]; a != nil && a.state == AttachAttached {
		return a.data, nil
	}
	return nil, ErrNotAttached
}

// client returns the client of that name, be it registered or leaving. The
// caller holds clientsMu. There are few clients, so it looks at each.
func (r *Registry) client(name string) *client {
	for _, c := range r.clients {
		if c.name == name {
			return c
		}
	}
	return nil
}
