package plugin

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// TestGoIsWaitedFor: Remove ends the device's context before the author's Remove
// is called, and is answered when the last goroutine has ended.
func TestGoIsWaitedFor(t *testing.T) {
	var (
		kept    *Device
		proceed chan struct{}
		ended   bool
	)
	client := &funcClient{
		add: func(_ context.Context, dev *Device) (any, error) {
			kept = dev
			return "data", dev.Go(func(ctx context.Context) {
				<-ctx.Done()
				<-proceed
				ended = true
			})
		},
		remove: func(_ context.Context, dev *Device) error {
			if context.Cause(dev.Context()) != ErrLeaving {
				t.Errorf("device's context in Remove: %v", context.Cause(dev.Context()))
			}
			if dev.Data() != "data" {
				t.Errorf("data %v", dev.Data())
			}
			return dev.Go(func(context.Context) {}) // still allowed
		},
	}
	bubble(t, client, func(b *bed) {
		proceed = make(chan struct{})
		c := b.talk(1, 1)
		_ = c.add()
		c.ask(removeRequest())
		c.silent()
		close(proceed)
		if err := c.removed(); err != nil || !ended {
			t.Errorf("removed: %v, goroutine ended: %v", err, ended)
		}
		if err := kept.Go(func(context.Context) { t.Error("run after Remove") }); !errors.Is(err, ErrRemoved) {
			t.Errorf("Go after Remove: %v", err)
		}
		if err := kept.Emit(b.Context(), Event{}); !errors.Is(err, ErrRemoved) {
			t.Errorf("Emit after Remove: %v", err)
		}
		_ = c.end()
	})
}

// TestGoOfAFailedAdd: what a failed Add has started ends before it is answered.
func TestGoOfAFailedAdd(t *testing.T) {
	ended := false
	client := &funcClient{add: func(_ context.Context, dev *Device) (any, error) {
		_ = dev.Go(func(ctx context.Context) { <-ctx.Done(); ended = true })
		return nil, syscall.ENODEV
	}}
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		if err := c.add(); !errors.Is(err, syscall.ENODEV) || !ended {
			t.Errorf("added: %v, goroutine ended: %v", err, ended)
		}
		_ = c.end()
	})
}

// TestUse: questions are answered about attached devices alone; one that is under
// way ends with the device, and before the author's Remove.
func TestUse(t *testing.T) {
	answered := false
	client := &funcClient{remove: func(context.Context, *Device) error {
		if !answered {
			t.Error("Remove while a question is being answered")
		}
		return nil
	}}
	bubble(t, client, func(b *bed) {
		devices := b.server.devices
		never := func(context.Context, *Device) error { t.Error("answered"); return nil }
		c := b.talk(1, 1)
		wantCode(t, "no id", devices.Use(b.Context(), nil, never), codes.InvalidArgument)
		wantCode(t, "unknown", devices.Use(b.Context(), c.wire(), never), codes.NotFound)
		wantCode(t, "other epoch", devices.Use(b.Context(), pluginv1.NewDeviceID(epoch+1, c.id), never), codes.FailedPrecondition)
		_ = c.add()
		err := devices.Use(b.Context(), c.wire(), func(context.Context, *Device) error { return syscall.EIO })
		if !errors.Is(pluginv1.FromStatus(err), syscall.EIO) {
			t.Errorf("a failing answer: %v", err)
		}

		asked := make(chan error, 1)
		go func() {
			asked <- devices.Use(context.Background(), c.wire(), func(ctx context.Context, dev *Device) error {
				<-ctx.Done()
				time.Sleep(time.Second) // a slow one
				answered = true
				return ctx.Err()
			})
		}()
		synctest.Wait()
		c.ask(removeRequest())
		synctest.Wait()
		wantCode(t, "leaving", devices.Use(b.Context(), c.wire(), never), codes.FailedPrecondition)
		if len(devices.All()) != 0 {
			t.Error("a leaving device is listed")
		}
		wantCode(t, "cut short", <-asked, codes.FailedPrecondition)
		if err := c.removed(); err != nil {
			t.Error(err)
		}
		wantCode(t, "removed", devices.Use(b.Context(), c.wire(), never), codes.FailedPrecondition)
		_ = c.end()
	})
}

// TestUseDuringAdd is refused: the author has not said yet that the device is ready.
func TestUseDuringAdd(t *testing.T) {
	var proceed chan struct{}
	client := &funcClient{add: func(context.Context, *Device) (any, error) { <-proceed; return nil, nil }}
	bubble(t, client, func(b *bed) {
		proceed = make(chan struct{})
		c := b.talk(1, 1)
		c.ask(addRequest())
		synctest.Wait()
		err := b.server.devices.Use(b.Context(), c.wire(), func(context.Context, *Device) error { return nil })
		wantCode(t, "question", err, codes.FailedPrecondition)
		close(proceed)
		_ = c.added()
		_ = c.remove()
		_ = c.end()
	})
}

func TestAllIsInOrder(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		var talks []*talk
		for _, id := range []core.ID{{Index: 3, Generation: 1}, {Index: 1, Generation: 9}, {Index: core.NoIndex, Generation: 8}, {Index: core.NoIndex, Generation: 7}} {
			c := b.talk(id.Index, id.Generation)
			_ = c.add()
			talks = append(talks, c)
		}
		got := b.server.devices.All()
		want := []core.ID{{Index: 1, Generation: 9}, {Index: 3, Generation: 1}, {Index: core.NoIndex, Generation: 7}, {Index: core.NoIndex, Generation: 8}}
		for i, d := range got {
			if len(got) != len(want) || d.ID() != want[i] {
				t.Fatalf("devices %v, want %v", got, want)
			}
		}
		for _, c := range talks {
			_ = c.remove()
			_ = c.end()
		}
	})
}

// TestEach passes over a device that leaves while it is looked at, and looks at
// the others.
func TestEach(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		first, second := b.talk(1, 1), b.talk(2, 2)
		_, _ = first.add(), second.add()
		var seen []uint32
		err := b.server.devices.Each(b.Context(), func(ctx context.Context, dev *Device) error {
			seen = append(seen, dev.ID().Index)
			if len(seen) > 1 {
				return nil
			}
			first.ask(removeRequest())
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || !slices.Equal(seen, []uint32{1, 2}) {
			t.Errorf("looked at %v, %v", seen, err)
		}
		_ = first.removed()
		err = b.server.devices.Each(b.Context(), func(context.Context, *Device) error { return syscall.EIO })
		if !errors.Is(pluginv1.FromStatus(err), syscall.EIO) {
			t.Errorf("a failing answer: %v", err)
		}
		_ = second.remove()
		_, _ = first.end(), second.end()
	})
}

// TestEvents arrive in order, before the reply that follows them.
func TestEvents(t *testing.T) {
	client := &funcClient{add: func(ctx context.Context, dev *Device) (any, error) {
		_ = dev.Emit(ctx, Event{Kind: "one", Attributes: map[string]string{"port": "1"}})
		_ = dev.Emit(ctx, Event{Kind: "two", Text: "text", Time: time.Unix(0, 5)})
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := dev.Emit(gone, Event{Kind: "three"}); !errors.Is(err, context.Canceled) {
			t.Errorf("emit: %v", err)
		}
		return nil, nil
	}}
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		c.ask(addRequest())
		one, two := EventFrom(c.reply().GetEvent()), EventFrom(c.reply().GetEvent())
		if one.Kind != "one" || one.Attributes["port"] != "1" || !one.Time.Equal(time.Now()) {
			t.Errorf("event %+v", one)
		}
		if two.Kind != "two" || two.Text != "text" || !two.Time.Equal(time.Unix(0, 5)) {
			t.Errorf("event %+v", two)
		}
		_ = c.added()
		_ = c.remove()
		_ = c.end()
	})
}

func TestPastIsBounded(t *testing.T) {
	var p past
	for g := range uint64(3 * remembered) {
		p.bury(core.ID{Index: core.NoIndex, Generation: g})
	}
	if len(p.ring) != remembered {
		t.Errorf("%d remembered", len(p.ring))
	}
	for g := range uint64(3 * remembered) {
		if got, want := p.has(core.ID{Index: core.NoIndex, Generation: g}), g >= 2*remembered; got != want {
			t.Fatalf("generation %d: %v, want %v", g, got, want)
		}
	}
}
