package supervisor

import (
	"math/rand/v2"
	"time"
)

// crashes decides how long to wait after a crash, and when to give up.
type crashes struct {
	limits Limits
	recent []time.Time // within the window, oldest first
}

func newCrashes(limits Limits) crashes { return crashes{limits: limits} }

// next notes a crash. It returns how long to wait before the restart, or false if
// there were too many.
func (c *crashes) next(now time.Time) (time.Duration, bool) {
	for len(c.recent) > 0 && now.Sub(c.recent[0]) > c.limits.Window {
		c.recent = c.recent[1:]
	}
	c.recent = append(c.recent, now)
	if len(c.recent) >= c.limits.Crashes {
		return 0, false
	}
	wait := c.limits.BackoffMin
	for range len(c.recent) - 1 {
		wait = min(2*wait, c.limits.BackoffMax) // by steps: a shift would overflow
	}
	return wait/2 + rand.N(wait/2+1), true
}
