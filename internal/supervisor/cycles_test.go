package supervisor

import (
	"os"
	"runtime"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/soak"
)

// TestCycles starts a plugin, adds and removes devices and stops it, over and
// over, and nothing may be left of any of it: no process, no socket, no
// descriptor, no goroutine. Some of the plugins are killed instead of stopped.
func TestCycles(t *testing.T) {
	const perSupervisor = 25
	cycles := soak.Times(50, 1000)
	runSupervisor(t, 5) // what the runtime keeps for good, it has by now
	before := holdings(t)
	for done := 0; done < cycles; done += perSupervisor {
		runSupervisor(t, perSupervisor)
		if t.Failed() {
			return
		}
	}
	if now := holdings(t); now.descriptors != before.descriptors {
		t.Errorf("%d descriptors, %d before", now.descriptors, before.descriptors)
	}
	// Those that have said that they are done may still be on their way out.
	eventually(t, "goroutines are as before", func() bool { return holdings(t).goroutines == before.goroutines })
	t.Logf("%d cycles; %d descriptors, %d goroutines before and after", cycles, before.descriptors, before.goroutines)
}

// runSupervisor lives through some cycles, and takes its directory away again.
func runSupervisor(t *testing.T, cycles int) {
	b := newBench(t, Config{})
	defer b.Close()
	dir := b.dir.path
	for i := range cycles {
		b.cycle(i%10 == 9)
	}
	b.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the run directory is still there: %v", err)
	}
}

// cycle is the whole life of one plugin, which drives a device that is there
// before it and one that comes after it.
func (b *bench) cycle(kill bool) {
	b.Helper()
	ctx, reg := b.Context(), core.NewRegistry(core.Options{})
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	_, err := reg.RegisterDevice(ctx, device(1, 0).Info)
	note(err)
	p := b.start(b.builtin("good"))
	note(reg.RegisterClient(ctx, p))
	second, err := reg.RegisterDevice(ctx, device(2, 0).Info)
	note(err)
	if kill {
		p.Kill(errEnough)
		<-p.Done()
		_ = reg.UnregisterDevice(ctx, second)
		_ = reg.UnregisterClient(ctx, p.Name())
		_ = b.stop(p)
	} else {
		note(reg.UnregisterDevice(ctx, second))
		note(reg.UnregisterClient(ctx, p.Name()))
		note(b.stop(p))
	}
	b.noSockets()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// held is what a process has of the kernel and of the Go runtime.
type held struct{ descriptors, goroutines int }

func holdings(t *testing.T) held {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return held{len(entries), runtime.NumGoroutine()}
}

// TestHoldings: the measure of TestCycles sees what it is made for.
func TestHoldings(t *testing.T) {
	before := holdings(t)
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { <-stop; close(stopped) }()
	if got := holdings(t); got.descriptors != before.descriptors+1 || got.goroutines != before.goroutines+1 {
		t.Errorf("%+v with one more of each, %+v before", got, before)
	}
	_ = f.Close()
	close(stop)
	<-stopped
	eventually(t, "both are as before", func() bool { return holdings(t) == before })
}
