package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
)

func kinds(t *testing.T, r *Reader) []string {
	t.Helper()
	var list []string
	for {
		e, err := r.NextKept()
		if errors.Is(err, io.EOF) {
			return list
		}
		if missed, ok := errors.AsType[*MissedError](err); ok {
			list = append(list, fmt.Sprintf("missed %d", missed.Count))
			continue
		}
		list = append(list, fmt.Sprintf("%d %s", e.Seq, e.Kind))
	}
}

func wantKinds(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestReaders(t *testing.T) {
	j := New(3)
	wantKinds(t, "an empty journal", kinds(t, j.Replay()))
	early := j.Replay()
	j.Append(Event{Kind: "a"})
	j.Append(Event{Kind: "b"})
	tail := j.Tail()
	wantKinds(t, "from the beginning", kinds(t, j.Replay()), "1 a", "2 b")
	for _, kind := range []string{"c", "d", "e"} {
		j.Append(Event{Kind: kind})
	}
	wantKinds(t, "what is left", kinds(t, j.Replay()), "3 c", "4 d", "5 e")
	wantKinds(t, "from then on", kinds(t, tail), "3 c", "4 d", "5 e")
	wantKinds(t, "too slow", kinds(t, early), "missed 2", "3 c", "4 d", "5 e")
	wantKinds(t, "nothing new", kinds(t, early))
}

func TestAppendGivesTheTime(t *testing.T) {
	j := New(1)
	j.Append(Event{Kind: "a"})
	if e, err := j.Replay().NextKept(); err != nil || e.Time.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := New(10)
		r := j.Tail()
		got := make(chan Event)
		go func() {
			e, err := r.Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- e
		}()
		synctest.Wait()
		j.Append(Event{Kind: "late"})
		if e := <-got; e.Kind != "late" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestNextEnds(t *testing.T) {
	j := New(10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Tail().Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with its context: %v", err)
	}
	j.Append(Event{Kind: "last"})
	r := j.Replay()
	j.Close()
	j.Append(Event{Kind: "too late"})
	if e, err := r.Next(t.Context()); err != nil || e.Kind != "last" {
		t.Errorf("before the end: %+v, %v", e, err)
	}
	for range 2 {
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

// Every reader sees every event once, in order, whoever else reads and writes.
func TestManyReadersAndWriters(t *testing.T) {
	const writers, each, readers = 4, 500, 4
	j := New(writers * each)
	var writing, reading sync.WaitGroup
	for range readers {
		r := j.Tail()
		reading.Go(func() {
			for want := uint64(1); ; want++ {
				e, err := r.Next(t.Context())
				if errors.Is(err, io.EOF) {
					if want != writers*each+1 {
						t.Errorf("the end came before event %d", want)
					}
					return
				}
				if err != nil || e.Seq != want {
					t.Errorf("event %d, %v; want %d", e.Seq, err, want)
					return
				}
			}
		})
	}
	for range writers {
		writing.Go(func() {
			for range each {
				j.Append(Event{Kind: "x"})
			}
		})
	}
	writing.Wait()
	j.Close()
	reading.Wait()
}
