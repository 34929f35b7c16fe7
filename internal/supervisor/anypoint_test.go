package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/soak"
)

// errEnough is why a test kills a plugin.
var errEnough = errors.New("enough")

// TestAnyPoint stops or kills a plugin, and with it whatever processes it has
// started, at some point of an Add or a Remove. Either ends within its deadline,
// and the registry goes on to unregister the device only when the tree is gone.
func TestAnyPoint(t *testing.T) {
	levels := availableLevels(t)
	dice := soak.Dice(t)
	rounds := make(chan round)
	tally := new(tally)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for r := range rounds {
				r.run(t, tally)
			}
		})
	}
	begin, long := time.Now(), soak.Time(t)
	for i := 0; i < 64 || time.Since(begin) < long; i++ {
		if t.Failed() {
			break
		}
		rounds <- newRound(dice, levels[i%len(levels)])
	}
	close(rounds)
	wg.Wait()
	t.Logf("of %d rounds the plugin was dead after Add in %d, after Remove in %d", tally.rounds, tally.add, tally.remove)
	if tally.add == 0 || tally.remove == 0 {
		t.Error("not every kind of point was hit")
	}
}

// tally counts what the rounds came to.
type tally struct {
	mu                  sync.Mutex
	rounds, add, remove int
}

func (c *tally) count(r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
	switch r.died {
	case "add":
		c.add++
	case "remove":
		c.remove++
	}
}

// round is one plugin on one device, and a signal.
type round struct {
	level    Guarantee
	signal   syscall.Signal
	inRemove bool
	after    time.Duration // from the call to the signal
	died     string        // the call that found the plugin dead first
}

func newRound(dice *rand.Rand, level Guarantee) round {
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP}
	return round{
		level:    level,
		signal:   signals[dice.IntN(len(signals))],
		inRemove: dice.IntN(2) == 0,
		after:    time.Duration(dice.Int64N(int64(6 * time.Millisecond))),
	}
}

func (r round) String() string {
	in := map[bool]string{false: "Add", true: "Remove"}[r.inRemove]
	return fmt.Sprintf("%v: %v %v into %s", r.level, r.signal, r.after, in)
}

// run is one round. The limits are short, and a plugin that a busy machine makes
// miss one is as good a case as any.
func (r round) run(t *testing.T, count *tally) {
	b := newBench(t, Config{Levels: []Guarantee{r.level}, Limits: Limits{Add: 300 * time.Millisecond, Remove: 300 * time.Millisecond, Crash: time.Second}})
	defer b.Close()
	p := b.start(r.spec(b))
	reg := core.NewRegistry(core.Options{})
	begun := make(chan struct{})
	client := &witness{Plugin: p, bench: b, round: &r, aim: sync.OnceFunc(func() { close(begun) })}
	if err := reg.RegisterClient(t.Context(), client); err != nil {
		t.Errorf("%v: %v", r, err)
	}
	var shot sync.WaitGroup
	shot.Go(func() {
		<-begun
		time.Sleep(r.after)
		r.shoot(p)
	})
	within(t, r.String(), func() {
		id, err := reg.RegisterDevice(t.Context(), device(1, 0).Info)
		if err != nil {
			t.Errorf("%v: %v", r, err)
		}
		_ = reg.UnregisterDevice(t.Context(), id)
		_ = reg.UnregisterClient(t.Context(), p.Name())
		client.aim() // it may never have come to a Remove
		shot.Wait()
		_ = b.stop(p)
	})
	if err := inOrder(reg); err != nil {
		t.Errorf("%v: %v", r, err)
	}
	count.count(&r)
}

// spec is a plugin that takes a while for everything; its children are such as
// the guarantee covers.
func (r round) spec(b *bench) Spec {
	switch r.level {
	case GuaranteeChildless:
		return b.builtin("busy")
	case GuaranteeProcessGroup:
		return b.external("busy-parent")
	}
	return b.external("busy-parent-setsid")
}

// shoot signals the process unless it is dead; what is not reaped keeps its pid.
func (r round) shoot(p *Plugin) {
	p.proc.mu.Lock()
	defer p.proc.mu.Unlock()
	if !p.proc.dead {
		_ = syscall.Kill(p.PID(), r.signal)
	}
}

// witness passes a registry's calls on to a plugin, says when they begin, and
// looks at what is left of the plugin before the registry learns that they ended.
type witness struct {
	*Plugin
	bench *bench
	round *round
	aim   func()
}

// Add implements core.Client.
func (w *witness) Add(ctx context.Context, dev core.Device) (any, error) {
	if !w.round.inRemove {
		w.aim()
	}
	data, err := w.Plugin.Add(ctx, dev)
	w.look("add", err)
	return data, err
}

// Remove implements core.Client.
func (w *witness) Remove(ctx context.Context, dev core.Device, data any) error {
	if w.round.inRemove {
		w.aim()
	}
	err := w.Plugin.Remove(ctx, dev, data)
	w.look("remove", err)
	return err
}

func (w *witness) look(op string, err error) {
	_, dead := errors.AsType[*DeadError](err)
	switch {
	case err == nil:
		return
	case op == "add" && !dead:
		return // on a busy machine the plugin's own work in Add runs out of time, and it says so
	case !dead:
		w.bench.Errorf("%v: %s: %v, want a DeadError", w.round, op, err)
	}
	if w.round.died == "" {
		w.round.died = op
	}
	if left := marked(w.bench.mark); len(left) > 0 {
		w.bench.Errorf("%v: %s is over, and processes are left: %v", w.round, op, left)
	}
}

// inOrder reads the registry's log: the device is unregistered after the client
// let go of it, if it ever drove it.
func inOrder(reg *core.Registry) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	added, removed, gone := false, false, false
	for log := reg.Replay(); ; {
		ev, err := log.Next(ctx)
		if err != nil {
			break
		}
		switch ev.Kind {
		case core.ClientAdded:
			added = ev.Err == nil
		case core.ClientRemoved:
			removed = true
			if gone {
				return errors.New("removed after the device was unregistered")
			}
		case core.DeviceUnregistered:
			gone = true
		}
	}
	if !gone || added != removed {
		return fmt.Errorf("device gone: %v, client added: %v, removed: %v", gone, added, removed)
	}
	return nil
}
