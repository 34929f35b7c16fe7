package core

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/internal/soak"
)

// The random tests let many callers do what they please with a few names, and
// hold what was recorded against the rules.
//
// IBCTL_SEED=N repeats one run. IBCTL_SOAK=10m goes on with new seeds for that
// long; see package soak.

// TestRandomScheduled runs in a bubble in which every attempt to take a lock is
// a random delay, so that the seed decides who comes first, down to the single
// critical section.
func TestRandomScheduled(t *testing.T) {
	forSeeds(t, 60, func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			dice := newDice(seed)
			clientsMu, devicesMu := newBubbleLock(), newBubbleLock()
			if dice.oneIn(4) {
				devicesMu = clientsMu // neither is taken while the other is held, or this hangs
			}
			delay := func() {
				if dice.oneIn(2) {
					time.Sleep(time.Duration(dice.n(1000)))
				}
			}
			clientsMu.before, devicesMu.before = delay, delay
			r := newRegistry(soakOptions, clientsMu, devicesMu)
			newWorld(t, r, dice, func() { time.Sleep(time.Duration(dice.n(100_000))) }).run(6, 40)
		})
	})
}

// TestRandomParallel runs on the machine's own schedule, with real mutexes.
func TestRandomParallel(t *testing.T) {
	forSeeds(t, 15, func(t *testing.T, seed uint64) {
		dice := newDice(seed)
		newWorld(t, NewRegistry(soakOptions), dice, func() {
			if dice.oneIn(4) {
				runtime.Gosched()
			}
		}).run(8, 100)
	})
}

var soakOptions = Options{EventLog: 1 << 17, Parallel: 3}

// forSeeds runs a test for some seeds, or for as long as the environment says.
func forSeeds(t *testing.T, n int, test func(*testing.T, uint64)) {
	if seed, ok := soak.Repeated(t); ok {
		test(t, seed)
		return
	}
	long := soak.Time(t)
	for begin := time.Now(); n > 0 || time.Since(begin) < long; n-- {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("IBCTL_SEED=%d", seed), func(t *testing.T) { test(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// dice is a random source for many goroutines.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{rng: rand.New(rand.NewPCG(seed, 0))} }

func (d *dice) n(limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(limit)
}

func (d *dice) oneIn(n int) bool { return d.n(n) == 0 }

func pick[T any](d *dice, list []T) (item T, ok bool) {
	if len(list) == 0 {
		return item, false
	}
	return list[d.n(len(list))], true
}
