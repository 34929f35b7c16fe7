package core

import (
	"sync"
	"sync/atomic"
)

// bubbleLock is a mutex that a synctest bubble can see through: a goroutine that
// waits for a sync.Mutex does not count as durably blocked, one that waits for a
// channel does. It must be made in the bubble that uses it.
type bubbleLock struct {
	token  chan struct{}
	broken chan struct{}
	// before is called, if set, by whoever is about to lock: a place to stop a
	// goroutine at.
	before func()
}

func newBubbleLock() *bubbleLock {
	return &bubbleLock{token: make(chan struct{}, 1), broken: make(chan struct{})}
}

func (l *bubbleLock) Lock() {
	if l.before != nil {
		l.before()
	}
	select {
	case l.token <- struct{}{}:
	case <-l.broken:
	}
}

func (l *bubbleLock) Unlock() {
	select {
	case <-l.token:
	case <-l.broken:
	}
}

// breakOpen lets everybody through for ever, to untangle a deadlock that was
// seen.
func (l *bubbleLock) breakOpen() { close(l.broken) }

// stopNext stops the next goroutine that is about to lock.
func (l *bubbleLock) stopNext() *pause { return l.stopNth(1) }

// stopNth stops the n-th goroutine from now that is about to lock.
func (l *bubbleLock) stopNth(n int64) *pause {
	p := newPause()
	var count atomic.Int64
	l.before = func() {
		if count.Add(1) == n {
			p.stop()
		}
	}
	return p
}

// bubbleRWLock is a reader/writer lock of the kind of sync.RWMutex and the
// kernel's rw_semaphore: a writer that waits keeps new readers out.
type bubbleRWLock struct {
	mu      sync.Mutex
	readers int
	writing bool
	queue   []waiter
	broken  chan struct{}
}

type waiter struct {
	writer bool
	in     chan struct{}
}

func newBubbleRWLock() *bubbleRWLock { return &bubbleRWLock{broken: make(chan struct{})} }

func (l *bubbleRWLock) enter(writer bool) {
	l.mu.Lock()
	w := waiter{writer, make(chan struct{})}
	l.queue = append(l.queue, w)
	l.admit()
	l.mu.Unlock()
	select {
	case <-w.in:
	case <-l.broken:
	}
}

func (l *bubbleRWLock) exit(writer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if writer {
		l.writing = false
	} else {
		l.readers--
	}
	l.admit()
}

// admit lets in whoever is first in the queue and may come in.
func (l *bubbleRWLock) admit() {
	for len(l.queue) > 0 {
		w := l.queue[0]
		if l.writing || w.writer && l.readers > 0 {
			return
		}
		if w.writer {
			l.writing = true
		} else {
			l.readers++
		}
		close(w.in)
		l.queue = l.queue[1:]
	}
}

func (l *bubbleRWLock) Lock()      { l.enter(true) }
func (l *bubbleRWLock) Unlock()    { l.exit(true) }
func (l *bubbleRWLock) RLock()     { l.enter(false) }
func (l *bubbleRWLock) RUnlock()   { l.exit(false) }
func (l *bubbleRWLock) breakOpen() { close(l.broken) }

// readSide is the lock as its readers see it.
func (l *bubbleRWLock) readSide() sync.Locker { return readSide{l} }

type readSide struct{ l *bubbleRWLock }

func (s readSide) Lock()   { s.l.RLock() }
func (s readSide) Unlock() { s.l.RUnlock() }

// noLock is what a registry without the fault in question holds.
type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}
