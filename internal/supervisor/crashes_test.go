package supervisor

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	limits := Limits{BackoffMin: 100 * time.Millisecond, BackoffMax: time.Second, Crashes: 100, Window: time.Hour}
	now := time.Now()
	for range 20 { // it has a random part
		c := newCrashes(limits)
		full := limits.BackoffMin
		for i := range 99 {
			wait, again := c.next(now)
			if !again || wait < full/2 || wait > full {
				t.Fatalf("crash %d: %v, %v; want between %v and %v", i+1, wait, again, full/2, full)
			}
			full = min(2*full, limits.BackoffMax)
		}
		if _, again := c.next(now); again {
			t.Fatal("the hundredth crash is one of many")
		}
	}
}

// TestOldCrashesAreForgotten: a plugin that crashes now and then is started again
// for ever, and soon.
func TestOldCrashesAreForgotten(t *testing.T) {
	limits := Limits{BackoffMin: 100 * time.Millisecond, BackoffMax: time.Second, Crashes: 3, Window: time.Minute}
	c := newCrashes(limits)
	now := time.Now()
	for i := range 10 {
		if wait, again := c.next(now); !again || wait > limits.BackoffMin*2 {
			t.Errorf("crash %d: %v, %v", i+1, wait, again)
		}
		now = now.Add(limits.Window * 2 / 3)
	}
	if _, again := c.next(now); !again {
		t.Error("given up")
	}
	c.next(now)
	if _, again := c.next(now); again {
		t.Error("three crashes at once are no end")
	}
}
