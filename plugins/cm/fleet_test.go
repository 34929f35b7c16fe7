package cm

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func newTestFleet(indices ...uint32) *fleet {
	fl := newFleet()
	for _, i := range indices {
		fl.add(&device{index: i})
	}
	return fl
}

// mustHave returns the device with that index.
func mustHave(t *testing.T, fl *fleet, index uint32) *device {
	t.Helper()
	dev, ok := fl.has(index)
	if !ok {
		t.Fatalf("no device #%d", index)
	}
	return dev
}

// untilEnded is a question that holds something until it is told to let go, and
// takes a while to.
func untilEnded(ctx context.Context, holds *atomic.Bool) error {
	holds.Store(true)
	<-ctx.Done()
	time.Sleep(time.Second)
	holds.Store(false)
	return context.Cause(ctx)
}

func TestRemoveWaitsForTheSessionOnTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := newTestFleet(1, 2)
		var holds atomic.Bool
		result := make(chan error)
		go func() {
			result <- fl.run(t.Context(), func(ctx context.Context, s *session) error {
				if _, err := s.pin(1); err != nil {
					return err
				}
				return untilEnded(ctx, &holds)
			})
		}()
		synctest.Wait()
		fl.remove(mustHave(t, fl, 1))
		if holds.Load() {
			t.Error("Remove returned while the session was on the device")
		}
		if err := <-result; status.Code(err) != codes.FailedPrecondition {
			t.Errorf("the session ended with %v", err)
		}
	})
}

// A session that is on another device goes on.
func TestRemoveOfAnotherDeviceLeavesASessionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := newTestFleet(1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = fl.run(ctx, func(ctx context.Context, s *session) error {
				if _, err := s.pin(1); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		synctest.Wait()
		fl.remove(mustHave(t, fl, 2))
		select {
		case <-done:
			t.Error("the session ended")
		default:
		}
		cancel()
		<-done
	})
}

// Until the kernel has chosen, the session may be on any device: it ends, and is
// asked again of the devices that are left.
func TestASessionThatMayBeAnywhereIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := newTestFleet(1, 2)
		var holds atomic.Bool
		var attempts atomic.Int32
		result := make(chan error)
		go func() {
			result <- fl.run(t.Context(), func(ctx context.Context, s *session) error {
				if attempts.Add(1) == 1 {
					return untilEnded(ctx, &holds)
				}
				_, err := s.pin(1)
				return err
			})
		}()
		synctest.Wait()
		fl.remove(mustHave(t, fl, 2))
		if holds.Load() {
			t.Error("Remove returned while the session might be on the device")
		}
		if err := <-result; err != nil || attempts.Load() != 2 {
			t.Errorf("%d attempts, %v", attempts.Load(), err)
		}
	})
}

// The kernel chose a device that was removed between the choice and the pin.
func TestNoSessionGetsOntoARemovedDevice(t *testing.T) {
	fl := newTestFleet(1)
	dev := mustHave(t, fl, 1)
	err := fl.run(t.Context(), func(ctx context.Context, s *session) error {
		if _, err := s.pin(7); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("pinned to a device that was never there: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	fl.remove(dev)
	err = fl.run(t.Context(), func(ctx context.Context, s *session) error {
		_, err := s.pin(1)
		return err
	})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("pinned to a removed device: %v", err)
	}
}

// Whoever reads a device's directory is done before Remove closes it.
func TestRemoveWaitsForWhoHoldsTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := newTestFleet(1)
		dev := mustHave(t, fl, 1)
		release, ok := fl.hold(dev)
		if !ok {
			t.Fatal("an attached device can't be held")
		}
		var removed atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			fl.remove(dev)
			removed.Store(true)
		}()
		synctest.Wait()
		if removed.Load() {
			t.Error("Remove returned while the device was held")
		}
		if _, ok := fl.hold(dev); ok {
			t.Error("a device that is being removed can be held")
		}
		release()
		<-done
		fl.add(&device{index: 1})
		if _, ok := fl.hold(dev); ok {
			t.Error("another device of the same index is taken for it")
		}
	})
}

func TestACallThatEndsIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := newTestFleet(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		attempts := 0
		err := fl.run(ctx, func(ctx context.Context, s *session) error {
			attempts++
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || attempts != 1 {
			t.Errorf("%d attempts, %v", attempts, err)
		}
	})
}

// Sessions and removals at random: while a session holds a device, the device is
// attached or its Remove has not returned.
func TestFleetUnderChurn(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("IBCTL_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("IBCTL_SEED=%d", seed)
	synctest.Test(t, func(t *testing.T) { churn(t, seed) })
}

func churn(t *testing.T, seed uint64) {
	const devices, askers, rounds = 3, 8, 200
	fl := newTestFleet()
	var holders [devices]atomic.Int32
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range askers {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		running.Go(func() {
			for ctx.Err() == nil {
				askRandomly(ctx, fl, rng, &holders)
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, 1000))
	for range rounds {
		index := uint32(rng.IntN(devices))
		dev := &device{index: index}
		fl.add(dev)
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
		fl.remove(dev)
		if n := holders[index].Load(); n != 0 {
			t.Errorf("%d sessions on device #%d after its Remove", n, index)
		}
	}
	cancel()
	running.Wait()
	if len(fl.sessions) != 0 {
		t.Errorf("%d sessions left", len(fl.sessions))
	}
}

// askRandomly holds a device from before it is pinned, as an id does.
func askRandomly(ctx context.Context, fl *fleet, rng *rand.Rand, holders *[3]atomic.Int32) {
	chosen, time1, time2 := uint32(rng.IntN(3)), rng.IntN(500), rng.IntN(500)
	_ = fl.run(ctx, func(ctx context.Context, s *session) error {
		if _, ours := fl.has(chosen); !ours { // lookAhead
			return nil
		}
		holders[chosen].Add(1)
		defer holders[chosen].Add(-1)
		pause(ctx, time.Duration(time1)*time.Microsecond)
		if _, err := s.pin(chosen); err != nil {
			return err
		}
		pause(ctx, time.Duration(time2)*time.Microsecond)
		return ctx.Err()
	})
}
