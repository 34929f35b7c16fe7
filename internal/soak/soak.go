// Package soak is what tests with long or random runs have in common: how the
// environment asks for them, and how a run is repeated.
//
// make soak runs every test with IBCTL_SOAK=1, and each test that has a long form
// then takes it. IBCTL_SOAK=10m says for how long those go on that have no end of
// their own. A random test prints the IBCTL_SEED that repeats it.
package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	envSoak = "IBCTL_SOAK"
	envSeed = "IBCTL_SEED"
	// usual is for tests that go on for a time, where none is given.
	usual = 2 * time.Minute
)

// On tells whether the long form of a test is wanted.
func On() bool { return os.Getenv(envSoak) != "" }

// Times returns short, or long where the long form is wanted.
func Times(short, long int) int {
	if On() {
		return long
	}
	return short
}

// Time is how long a test goes on that has no end of its own; 0 where the long
// form is not wanted.
func Time(t testing.TB) time.Duration {
	t.Helper()
	switch text := os.Getenv(envSoak); text {
	case "":
		return 0
	case "1":
		return usual
	default:
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", envSoak, err)
		}
		return d
	}
}

// Repeated returns the seed that the environment names, if it does.
func Repeated(t testing.TB) (seed uint64, ok bool) {
	t.Helper()
	text := os.Getenv(envSeed)
	if text == "" {
		return 0, false
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", envSeed, err)
	}
	return seed, true
}

// Seed returns the i-th seed of a test: the one that the environment names, if it
// does. For what real kernels and processes make of it, the short form takes the
// same ones each time, as it is to tell a change that broke something from one
// that did not; the long form takes new ones. What depends on the seed alone can
// take new ones always.
func Seed(t testing.TB, i int) uint64 {
	t.Helper()
	seed, ok := Repeated(t)
	switch {
	case ok:
		return seed
	case On():
		return uint64(rand.Uint32())
	}
	return uint64(i)
}

// Dice returns a random source for one goroutine, of a [Seed], and prints that.
func Dice(t testing.TB) *rand.Rand {
	t.Helper()
	return dice(t, Seed(t, 1))
}

// NewDice is Dice with a new seed each time, unless the environment names one.
func NewDice(t testing.TB) *rand.Rand {
	t.Helper()
	seed, ok := Repeated(t)
	if !ok {
		seed = rand.Uint64()
	}
	return dice(t, seed)
}

func dice(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	t.Logf("%s=%d", envSeed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
