package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errToldToStop is why a daemon ends that was told to.
var errToldToStop = errors.New("told to stop")

// sameBreath is for how long after a signal another is the same one: timeout(1)
// sends it to the process and then to its group, and a terminal to the group that
// a wrapper passes it on from.
const sameBreath = 300 * time.Millisecond

// untilToldTwice returns a context that ends with the first signal to stop, and
// one that ends with the second.
func untilToldTwice() (first, second context.Context, stop func()) {
	first, end := context.WithCancelCause(context.Background())
	second, hasten := context.WithCancelCause(context.Background())
	signals, quit, done := make(chan os.Signal, 2), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		defer close(done)
		hearTwice(signals, quit, end, hasten)
	}()
	return first, second, func() {
		signal.Stop(signals)
		close(quit)
		<-done
		end(nil)
		hasten(nil)
	}
}

// hearTwice ends one context after the other, each with a signal of its own.
func hearTwice(signals <-chan os.Signal, quit <-chan struct{}, contexts ...context.CancelCauseFunc) {
	var last time.Time
	for len(contexts) > 0 {
		select {
		case s := <-signals:
			if now := time.Now(); now.Sub(last) > sameBreath {
				contexts[0](fmt.Errorf("%w by %v", errToldToStop, s))
				contexts, last = contexts[1:], now
			}
		case <-quit:
			return
		}
	}
}
