package core

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// eventLog keeps the last events in a ring, each at its Seq modulo the length.
// Readers come with a position of their own, so a slow one costs nothing, and
// nobody needs to be told when one is gone.
type eventLog struct {
	mu   sync.Mutex // innermost: nothing is taken under it
	ring []Event
	last uint64        // Seq of the newest
	more chan struct{} // closed at the next event; nil if nobody waits
}

func newEventLog(size int) eventLog { return eventLog{ring: make([]Event, size)} }

// append gives the event its number and time. It never blocks, so it may be
// called under the mutex that guards what the event tells of: events of one
// device or client then come in the order in which things happened.
func (l *eventLog) append(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	ev.Seq, ev.Time = l.last, time.Now()
	*l.slot(ev.Seq) = ev
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

func (l *eventLog) slot(seq uint64) *Event { return &l.ring[seq%uint64(len(l.ring))] }

// oldest returns the Seq of the oldest event kept. The caller holds mu.
func (l *eventLog) oldest() uint64 {
	if kept := uint64(len(l.ring)); l.last > kept {
		return l.last - kept + 1
	}
	return 1
}

// read returns the event with number seq, or, if it is yet to come, a channel
// that is closed by then. missed counts those from seq on that were overwritten.
func (l *eventLog) read(seq uint64) (ev Event, missed uint64, wait <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch oldest := l.oldest(); {
	case seq < oldest:
		return Event{}, oldest - seq, nil
	case seq <= l.last:
		return *l.slot(seq), 0, nil
	}
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return Event{}, 0, l.more
}

// Subscription reads a registry's events in order. It is a position in a log,
// so it needs no end: drop it when done. One goroutine at a time may use it.
type Subscription struct {
	log  *eventLog
	next uint64
}

// Subscribe returns a subscription to what happens from now on. Who needs to
// know what there is already subscribes first and asks then.
func (r *Registry) Subscribe() *Subscription {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return &Subscription{log: &r.log, next: r.log.last + 1}
}

// Replay returns a subscription to everything from the beginning.
func (r *Registry) Replay() *Subscription { return &Subscription{log: &r.log, next: 1} }

// MissedError says that events were overwritten before they were read.
type MissedError struct {
	// Count is how many.
	Count uint64
}

// Error implements error.
func (e *MissedError) Error() string { return fmt.Sprintf("missed %d events", e.Count) }

// Next returns the next event, waiting for it until ctx ends. If the reader was
// too slow it returns a [*MissedError] once and goes on with the oldest event
// that is left; who follows the state of things then asks for it anew.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		ev, missed, wait := s.log.read(s.next)
		switch {
		case missed > 0:
			s.next += missed
			return Event{}, &MissedError{missed}
		case wait == nil:
			s.next++
			return ev, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}
