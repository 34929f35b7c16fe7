package core

import (
	"context"
	"slices"
	"time"
)

// add calls Add, unless the device or the client began to leave after next
// looked.
func (r *Registry) add(ctx context.Context, a *attachment) {
	ctx, dev, ok := r.begin(ctx, a)
	defer r.end(a)
	if !ok {
		r.detach(a)
		return
	}
	start := time.Now()
	data, err := a.client.impl.Add(ctx, dev)
	r.added(a, data, err, a.event(ClientAdded, dev, start, err))
}

// added notes how Add ended. The event comes first for those who wait, and the
// state first for those who read.
func (r *Registry) added(a *attachment, data any, err error, ev Event) {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	r.log.append(ev)
	if err != nil {
		a.err = err
		a.enter(AttachFailed)
		a.leave()
		return
	}
	a.data = data
	a.enter(AttachAttached)
	a.device.attached = append(a.device.attached, a)
}

// remove calls Remove, which next has announced.
func (r *Registry) remove(ctx context.Context, a *attachment) {
	dev, start := r.picture(a.device), time.Now()
	err := a.client.impl.Remove(r.marked(ctx), dev, a.data)
	r.log.append(a.event(ClientRemoved, dev, start, err))
	if err != nil {
		r.complain(a, &Error{"remove client " + a.client.name + " from", "device " + dev.String(), err})
	}
	a.device.attached = slices.DeleteFunc(a.device.attached, func(b *attachment) bool { return a == b })
	r.detach(a)
}

// tell calls Changed with all that was noted.
func (r *Registry) tell(ctx context.Context, a *attachment) {
	r.clientsMu.Lock()
	what := a.pending
	a.pending = 0
	r.clientsMu.Unlock()

	ctx, dev, ok := r.begin(ctx, a)
	defer r.end(a)
	if !ok {
		return
	}
	start := time.Now()
	err := a.client.handler.Changed(ctx, dev, a.data, what)
	ev := a.event(ClientTold, dev, start, err)
	ev.Change = what
	r.log.append(ev)
}

// detach forgets a, for which nothing is called any more.
func (r *Registry) detach(a *attachment) {
	r.clientsMu.Lock()
	defer r.clientsMu.Unlock()
	delete(a.client.attachments, a.device)
	a.leave()
}

// leave counts a out. The caller holds clientsMu.
func (a *attachment) leave() {
	close(a.gone)
	a.client.users.leave()
}

// complain tells a's error to those who wait for its device or its client.
func (r *Registry) complain(a *attachment, err error) {
	r.devicesMu.Lock()
	a.device.complain(err)
	r.devicesMu.Unlock()

	r.clientsMu.Lock()
	a.client.complain(err)
	r.clientsMu.Unlock()
}

func (r *Registry) picture(d *device) Device {
	r.devicesMu.Lock()
	defer r.devicesMu.Unlock()
	return d.picture()
}

func (a *attachment) event(kind EventKind, dev Device, start time.Time, err error) Event {
	return Event{Kind: kind, Device: dev.ID, Name: dev.Info.Name, Client: a.client.name,
		Took: time.Since(start), Err: err}
}
