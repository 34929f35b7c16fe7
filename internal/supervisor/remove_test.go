package supervisor

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/soak"
)

func TestAddRemove(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("good"))
	dev := device(1, 1)
	if _, err := p.Add(t.Context(), dev); err != nil {
		t.Fatal(err)
	}
	if got := p.Devices(); len(got) != 1 || got[0] != dev.ID {
		t.Errorf("devices %v", got)
	}
	if err := p.Remove(t.Context(), dev, nil); err != nil {
		t.Error(err)
	}
	if got := p.Devices(); len(got) != 0 {
		t.Errorf("devices %v", got)
	}
	if err := p.Remove(t.Context(), dev, nil); err != nil {
		t.Errorf("second remove: %v", err)
	}
	if _, err := p.Add(t.Context(), dev); err != nil {
		t.Errorf("back in service: %v", err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestAddFails(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("failing"))
	_, err := p.Add(t.Context(), device(1, 1))
	if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "open port") {
		t.Errorf("error %v", err)
	}
	if err := p.Remove(t.Context(), device(1, 1), nil); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := b.stop(p); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestAddGivenUp: an Add whose context ends is taken back, and the plugin lives.
func TestAddGivenUp(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("patient-add"))
	leaving := errors.New("device is leaving")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		b.heard("adding")
		cancel(leaving)
	}()
	if _, err := p.Add(ctx, device(1, 1)); !errors.Is(err, leaving) {
		t.Errorf("error %v", err)
	}
	if err := p.Err(); err != nil {
		t.Errorf("plugin died: %v", err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestAddGivenUpAtAnyPoint: the same, whenever it happens. Nothing is wrong with the
// plugin, and it lives.
func TestAddGivenUpAtAnyPoint(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("good"))
	dice := soak.Dice(t)
	leaving := errors.New("device is leaving")
	givenUp := 0
	for i := range soak.Times(500, 20_000) {
		dev := device(1, uint64(i+1))
		ctx, cancel := context.WithCancelCause(t.Context())
		after := time.AfterFunc(time.Duration(dice.Int64N(int64(500*time.Microsecond))), func() { cancel(leaving) })
		_, err := p.Add(ctx, dev)
		if after.Stop(); err != nil {
			givenUp++
		}
		removed := p.Remove(t.Context(), dev, nil)
		cancel(nil)
		if err != nil && !errors.Is(err, leaving) || removed != nil || p.Err() != nil {
			t.Errorf("add %d: %v; remove: %v; plugin: %v", i, err, removed, p.Err())
			break
		}
	}
	t.Logf("%d were given up", givenUp)
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestDeadlines: whatever the plugin fails to do in time ends with the proof of
// its death, and with an error that says so.
func TestDeadlines(t *testing.T) {
	type step = func(context.Context, *Plugin, core.Device) error
	add := func(ctx context.Context, p *Plugin, d core.Device) error { _, err := p.Add(ctx, d); return err }
	remove := func(ctx context.Context, p *Plugin, d core.Device) error {
		if _, err := p.Add(ctx, d); err != nil {
			return errors.New("add failed")
		}
		return p.Remove(ctx, d, nil)
	}
	tests := []struct {
		plugin string
		step   step
		want   error
	}{
		{"stuck-add", add, ErrDeadline},
		{"stuck-remove", remove, ErrDeadline},
		{"crash-add", add, ErrExited},
		{"crash-remove", remove, ErrExited},
		{"fail-remove", remove, errNotLetGo},
		{"fail-remove", remove, syscall.EIO},
	}
	for _, tt := range tests {
		t.Run(tt.plugin, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{Limits: quick()})
			p := b.start(b.builtin(tt.plugin))
			within(t, "the step", func() {
				err := tt.step(t.Context(), p, device(1, 1))
				if _, ok := errors.AsType[*DeadError](err); !ok || !errors.Is(err, tt.want) {
					t.Errorf("error %v (%T), want a DeadError of %v", err, err, tt.want)
				}
			})
			b.nothingLeft()
			if err := b.stop(p); err == nil {
				t.Error("stop says that all was well")
			}
		})
	}
}

// TestCrashTakesEveryDevice: after a crash every Remove returns at once.
func TestCrashTakesEveryDevice(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("good"))
	for i := range uint32(10) {
		if _, err := p.Add(t.Context(), device(i, uint64(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, "removes", func() {
		for i := range uint32(10) {
			if err := p.Remove(t.Context(), device(i, uint64(i+1)), nil); !errors.Is(err, ErrExited) {
				t.Errorf("remove %d: %v", i, err)
			}
		}
	})
	if _, err := p.Add(t.Context(), device(99, 99)); err == nil {
		t.Error("a dead plugin took a device")
	}
	if err := b.stop(p); err == nil {
		t.Error("stop says that all was well")
	}
}

// TestStopped: a stopped process is killed at its deadline, in Add and Remove and
// at Stop.
func TestStopped(t *testing.T) {
	for _, when := range []string{"add", "remove", "stop"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Config{Limits: quick()})
			p := b.start(b.builtin("good"))
			dev := device(1, 1)
			if when != "add" {
				if _, err := p.Add(t.Context(), dev); err != nil {
					t.Fatal(err)
				}
			}
			halt(t, p.PID())
			within(t, when, func() {
				var err error
				switch when {
				case "add":
					_, err = p.Add(t.Context(), dev)
				case "remove":
					err = p.Remove(t.Context(), dev, nil)
				case "stop":
					err = p.Stop(t.Context())
				}
				if !errors.Is(err, ErrDeadline) {
					t.Errorf("error %v", err)
				}
			})
			b.nothingLeft()
			_ = b.stop(p)
		})
	}
}

// TestKillHastens: a caller that has no more patience ends a Remove by a kill.
func TestKillHastens(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("stuck-remove"))
	if _, err := p.Add(t.Context(), device(1, 1)); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	go func() {
		b.heard("removing")
		p.Kill(enough)
	}()
	within(t, "remove", func() {
		if err := p.Remove(context.Background(), device(1, 1), nil); !errors.Is(err, enough) {
			t.Errorf("error %v", err)
		}
	})
	_ = b.stop(p)
}

func TestStopHastened(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("stuck-remove"))
	if _, err := p.Add(t.Context(), device(1, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, "stop", func() {
		if err := p.Stop(ctx); !errors.Is(err, ErrHastened) {
			t.Errorf("error %v", err)
		}
	})
	b.nothingLeft()
}

// TestStopRemovesFirst: a plugin that is stopped with devices attached gets to
// let go of them, all at the same time: the Removes of this one wait for each
// other.
func TestStopRemovesFirst(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("together"))
	for i := range uint32(togetherSize) {
		if _, err := p.Add(t.Context(), device(i, uint64(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestLingerer(t *testing.T) {
	b := newBench(t, Config{Limits: Limits{Shutdown: 300 * time.Millisecond}})
	p := b.start(b.builtin2("lingers", "lingering"))
	if err := b.stop(p); !errors.Is(err, ErrDeadline) {
		t.Errorf("error %v", err)
	}
}

// builtin2 serves the main of one name as the client of another.
func (b *bench) builtin2(main, name string) Spec {
	spec := b.external(main)
	spec.Name = name
	return spec
}

func TestChanged(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("fickle"))
	dev := device(1, 1)
	if _, err := p.Add(t.Context(), dev); err != nil {
		t.Fatal(err)
	}
	dev.Info.Name = "renamed"
	if err := p.Changed(t.Context(), dev, nil, core.ChangeName|core.ChangeInfo); err != nil {
		t.Error(err)
	}
	b.heard("changed name,info renamed")

	// A change that the device's leaving cuts short.
	leaving := errors.New("leaving")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		b.heard("changing")
		cancel(leaving)
	}()
	if err := p.Changed(ctx, dev, nil, core.ChangeGIDs); !errors.Is(err, leaving) {
		t.Errorf("error %v", err)
	}
	if err := p.Remove(t.Context(), dev, nil); err != nil {
		t.Error(err)
	}
	if err := p.Changed(t.Context(), dev, nil, core.ChangeName); !errors.Is(err, errNotAttached) {
		t.Errorf("error %v", err)
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}
