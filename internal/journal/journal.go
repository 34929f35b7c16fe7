package journal

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Journal keeps the latest events. Use New to make one.
type Journal struct {
	size uint64

	mu     sync.Mutex
	ring   []Event // grows up to size; event n is at (n-1) % size
	last   uint64  // Seq of the newest
	closed bool
	more   chan struct{} // closed at the next change; nil if nobody waits
}

// New returns a journal that keeps size events.
func New(size int) *Journal { return &Journal{size: uint64(size)} }

// Append adds an event, which gets its number, and a time unless it has one. It
// never blocks. What comes after Close is dropped.
func (j *Journal) Append(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.last++
	e.Seq = j.last
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if uint64(len(j.ring)) < j.size {
		j.ring = append(j.ring, e)
	} else {
		j.ring[(e.Seq-1)%j.size] = e
	}
	j.wake()
}

// Close ends the journal: readers get io.EOF after the last event.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.wake()
}

// wake tells all who wait to look again. The caller holds mu.
func (j *Journal) wake() {
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// Reader reads a journal in order. It is a position and needs no end. One
// goroutine at a time may use it.
type Reader struct {
	journal *Journal
	next    uint64
}

// Tail returns a reader of what happens from now on.
func (j *Journal) Tail() *Reader {
	j.mu.Lock()
	defer j.mu.Unlock()
	return &Reader{j, j.last + 1}
}

// Replay returns a reader of everything that is kept, and of what follows.
func (j *Journal) Replay() *Reader {
	j.mu.Lock()
	defer j.mu.Unlock()
	return &Reader{j, j.oldest()}
}

// oldest returns the Seq of the oldest event kept. The caller holds mu.
func (j *Journal) oldest() uint64 { return j.last - uint64(len(j.ring)) + 1 }

// MissedError says that events were overwritten before they were read.
type MissedError struct {
	// Count is how many.
	Count uint64
}

// Error implements error.
func (e *MissedError) Error() string {
	return fmt.Sprintf("missed %d events, which came faster than they were read", e.Count)
}

// Next returns the next event, waiting for it until ctx ends. A reader that was
// too slow gets a [*MissedError] once and goes on with the oldest that is left.
// After the last event of a closed journal it returns io.EOF.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	for {
		e, wait, err := r.take(true)
		if wait == nil {
			return e, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// NextKept is Next, except that it returns io.EOF instead of waiting.
func (r *Reader) NextKept() (Event, error) {
	e, _, err := r.take(false)
	return e, err
}

// take returns the next event or, where there is none yet, a channel to wait for.
func (r *Reader) take(wait bool) (Event, <-chan struct{}, error) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	switch oldest := j.oldest(); {
	case r.next < oldest:
		missed := oldest - r.next
		r.next = oldest
		return Event{}, nil, &MissedError{missed}
	case r.next <= j.last:
		e := j.ring[(r.next-1)%j.size]
		r.next++
		return e, nil, nil
	case j.closed || !wait:
		return Event{}, nil, io.EOF
	}
	if j.more == nil {
		j.more = make(chan struct{})
	}
	return Event{}, j.more, nil
}
