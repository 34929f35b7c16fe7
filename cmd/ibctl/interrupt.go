package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// interruption is the signal that ended a command which had plugins to stop.
type interruption struct{ signal syscall.Signal }

// Error implements error.
func (i interruption) Error() string { return fmt.Sprintf("interrupted: %v", i.signal) }

// interruptible returns a context that the usual signals end, so that plugins
// are removed from their devices before the program is. A second signal ends it
// at once, and the kernel its plugins. stop must be called.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		signal.Stop(signals)
	}
}

// orInterruption returns the interruption that ended ctx, if one did, instead of
// the error that came of it.
func orInterruption(ctx context.Context, err error) error {
	if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return i
	}
	return err
}

// interrupted tells whether a signal is why err came about.
func interrupted(err error) (interruption, bool) { return errors.AsType[interruption](err) }
