package core

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

func TestSubscriptionSeesEverythingInOrder(t *testing.T) {
	staged(t, func(t *testing.T, s *stage) {
		sub := s.Subscribe()
		boom := errors.New("boom")
		a := s.actor("roce")
		a.remove = func(context.Context, Device) error { return boom }
		must(t, s.RegisterClient(t.Context(), a))
		id := mustRegister(t, s.witness, hca("rxe0", 0))
		must(t, s.Rename(t.Context(), id, "storage"))
		lease, err := s.Acquire(id, "gid show")
		must(t, err)
		unregister := s.unregister(id)
		synctest.Wait()
		s.Release(lease)
		wantErr(t, unregister.wait(), boom)

		want := []string{
			"1 client-arrived roce", "2 client-registered roce",
			"3 device-arrived rxe0", "4 client-added rxe0 roce", "5 device-registered rxe0",
			"6 device-renamed storage from rxe0", "7 client-told storage roce name",
			"8 device-leaving storage", "9 client-removed storage roce: boom",
			"10 lease-wait storage [gid show]", "11 device-unregistered storage",
		}
		for _, w := range want {
			ev, err := sub.Next(t.Context())
			must(t, err)
			if got := eventText(ev); got != w {
				t.Errorf("got %q, want %q", got, w)
			}
		}
		wantNothingMore(t, sub)
	})
}

func eventText(ev Event) string {
	s := fmt.Sprintf("%d %s", ev.Seq, ev.Kind)
	for _, text := range []string{ev.Name, ev.Client} {
		if text != "" {
			s += " " + text
		}
	}
	if ev.OldName != "" {
		s += " from " + ev.OldName
	}
	if ev.Change != 0 {
		s += " " + ev.Change.String()
	}
	if ev.Holders != nil {
		s += fmt.Sprintf(" %v", ev.Holders)
	}
	if ev.Err != nil {
		s += fmt.Sprintf(": %v", ev.Err)
	}
	return s
}

// wantNothingMore wants Next to wait until its ctx ends.
func wantNothingMore(t *testing.T, sub *Subscription) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	next := start(func() error { _, err := sub.Next(ctx); return err })
	synctest.Wait()
	if next.returned() {
		t.Errorf("there is more, or an error: %v", next.err)
	}
	cancel()
	wantErr(t, next.wait(), context.Canceled)
}

func TestSubscriptionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Options{})
		subs := []*Subscription{r.Subscribe(), r.Subscribe(), r.Replay()}
		var readers []*task
		for _, sub := range subs {
			readers = append(readers, start(func() error { _, err := sub.Next(context.Background()); return err }))
		}
		synctest.Wait()
		_, err := r.RegisterDevice(t.Context(), hca("rxe0", 0))
		must(t, err)
		for _, reader := range readers {
			must(t, reader.wait())
		}
	})
}

// A reader that was too slow learns how much it missed, and goes on with what is
// left. The registry did not wait for it.
func TestSlowSubscriberLearnsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry(Options{EventLog: 4})
		sub := r.Subscribe()
		for i := range uint32(5) {
			_, err := r.RegisterDevice(t.Context(), hca(fmt.Sprintf("rxe%d", i), i)) // two events
			must(t, err)
		}
		_, err := sub.Next(t.Context())
		var missed *MissedError
		if !errors.As(err, &missed) || missed.Count != 6 {
			t.Fatalf("got %v, want 6 missed events", err)
		}
		for seq := uint64(7); seq <= 10; seq++ {
			ev, err := sub.Next(t.Context())
			must(t, err)
			if ev.Seq != seq {
				t.Errorf("got event %d, want %d", ev.Seq, seq)
			}
		}
		wantNothingMore(t, sub)
		if _, err := r.Replay().Next(t.Context()); !errors.As(err, &missed) || missed.Count != 6 {
			t.Errorf("got %v from the beginning, want 6 missed events", err)
		}
	})
}

func TestChangeText(t *testing.T) {
	tests := map[Change]string{0: "", ChangeName: "name", ChangeInfo | ChangeNetdev: "info,netdev", ChangeGIDs: "gids"}
	for c, want := range tests {
		text, err := c.MarshalText()
		must(t, err)
		if string(text) != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}
