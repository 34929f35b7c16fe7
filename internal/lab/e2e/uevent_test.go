package e2e

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/ibctl/ibctl/internal/lab"
	"github.com/ibctl/ibctl/internal/uevent"
)

// TestUEvents: the events of a device's life, in order.
func TestUEvents(t *testing.T) {
	lab.Topology{Links: []lab.Link{{Name: "eth0", Kind: lab.Dummy{}}}}.Up(t)
	l, err := uevent.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run(t, "rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0")
	run(t, "rdma", "dev", "set", "rxe0", "name", "hca0")
	run(t, "rdma", "link", "del", "hca0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := []uevent.Event{{Action: uevent.Add, DevPath: "rxe0"}, {Action: uevent.Move, DevPath: "hca0"}, {Action: uevent.Remove, DevPath: "hca0"}}
	var last uint64
	for len(want) > 0 {
		e, err := l.Receive(ctx)
		if err != nil {
			t.Fatalf("%v; to come: %v", err, want)
		}
		if e.Seq <= last {
			t.Errorf("event %d after %d", e.Seq, last)
		}
		last = e.Seq
		if e.Subsystem != "infiniband" {
			continue
		}
		if e.Action != want[0].Action || e.Name() != want[0].DevPath {
			t.Errorf("got %s %s, want %v", e.Action, e.DevPath, want[0])
		}
		want = want[1:]
	}
}

// TestUEventsLost: who does not listen loses events, is told so, and hears the
// next ones.
func TestUEventsLost(t *testing.T) {
	l, err := uevent.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3000 {
		if err := os.WriteFile("/sys/class/net/lo/uevent", []byte("change"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for lost := false; ; {
		e, err := l.Receive(ctx)
		switch {
		case errors.Is(err, uevent.ErrLost):
			lost = true
			if err := os.WriteFile("/sys/class/net/lo/uevent", []byte("change"), 0o644); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		case lost && e.Name() == "lo":
			return
		}
	}
}
