package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestToldTwice: a second signal hastens, unless it is the first one again.
func TestToldTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, end := context.WithCancelCause(t.Context())
		second, hasten := context.WithCancelCause(t.Context())
		signals, quit, done := make(chan os.Signal), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			hearTwice(signals, quit, end, hasten)
		}()
		for _, tt := range []struct {
			after             time.Duration
			ended, isHastened bool
		}{{0, true, false}, {sameBreath, true, false}, {time.Millisecond, true, true}} {
			time.Sleep(tt.after)
			signals <- syscall.SIGTERM
			synctest.Wait()
			ended, hastened := errors.Is(context.Cause(first), errToldToStop), errors.Is(context.Cause(second), errToldToStop)
			if ended != tt.ended || hastened != tt.isHastened {
				t.Errorf("%v later: ended %v, hastened %v, want %v and %v", tt.after, ended, hastened, tt.ended, tt.isHastened)
			}
		}
		<-done
	})
}
