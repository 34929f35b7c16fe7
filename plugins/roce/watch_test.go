package roce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/soak"
	"github.com/ibctl/ibctl/internal/sysfs"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// fakeDevice is a device with one port, whose table a test writes.
type fakeDevice struct {
	*device
	name   string
	leave  context.CancelCauseFunc
	during func() // called within each reading, if it is set

	mu       sync.Mutex
	entries  []rdma.GIDEntry
	err      error
	readings int
	whole    int
	working  sync.WaitGroup
}

func newFakeDevice(name, table string) *fakeDevice {
	ctx, leave := context.WithCancelCause(context.Background())
	f := &fakeDevice{name: name, leave: leave, entries: gids(table)}
	f.device = &device{
		info: func() rdma.Device {
			return rdma.Device{Name: f.name, Ports: []rdma.Port{{Number: 1, LinkLayer: rdma.LinkLayerEthernet, Netdev: "e", NetdevIndex: rdma.Known[uint32](3)}}}
		},
		reader: f,
		run: func(work func(context.Context)) error {
			if ctx.Err() != nil {
				return plugin.ErrRemoved
			}
			f.working.Go(func() { work(ctx) })
			return nil
		},
	}
	return f
}

// table implements reader.
func (f *fakeDevice) table(_ context.Context, _ uint32, used *sysfs.Used) ([]rdma.GIDEntry, []rdma.Warning, error) {
	f.mu.Lock()
	during := f.during
	f.mu.Unlock()
	if during != nil {
		during()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings++
	if used == nil {
		f.whole++
	}
	return slices.Clone(f.entries), nil, f.err
}

// count returns how often the table has been read, and how often as a whole.
func (f *fakeDevice) count() (readings, whole int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readings, f.whole
}

func (f *fakeDevice) set(table string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = gids(table)
}

// deaf is a hub without ears: a test pokes it.
func deaf() *hub {
	h := newHub()
	h.listen = func(*hub) (io.Closer, error) { return io.NopCloser(nil), nil }
	return h
}

// told is what a subscriber has been told by now.
func told(s *subscriber) (list []string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[rocev1.GIDChangeKind]string{kindAdded: "added", kindRemoved: "removed", kindMoved: "moved", kindChanged: "changed",
		kindPresent: "present", kindReady: "ready", kindMissed: "missed"}
	for _, c := range s.list {
		text := names[c.GetKind()]
		if c.GetGid() != nil {
			text += fmt.Sprintf(" %s/%d/%d", c.GetDevice(), c.GetPort(), c.GetGid().GetIndex())
		}
		if c.GetText() != "" {
			text += ": " + c.GetText()
		}
		list = append(list, text)
	}
	s.list = nil
	return list
}

func expect(t *testing.T, what string, s *subscriber, want ...string) {
	t.Helper()
	if got := told(s); !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a, b := deaf(), newFakeDevice("a", "0:fe80::1@e 3:10.0.0.1@e"), newFakeDevice("b", "0:fe80::2@f")
		h.add(a.device)
		all := newSubscriber(&rocev1.WatchGIDsRequest{})
		if err := h.join(all); err != nil {
			t.Fatal(err)
		}
		expect(t, "at first", all, "ready")
		one := newSubscriber(&rocev1.WatchGIDsRequest{IncludePresent: true, Targets: []*rocev1.GIDWatchTarget{{Name: "a"}}})
		if err := h.join(one); err != nil {
			t.Fatal(err)
		}
		expect(t, "what is there", one, "present a/1/0", "present a/1/3", "ready")

		a.set("0:fe80::1@e 5:10.0.0.1@e")
		h.poke(anyPort)
		time.Sleep(firstRead + time.Millisecond)
		expect(t, "a move", all, "moved a/1/5")
		expect(t, "a move", one, "moved a/1/5")

		h.add(b.device)
		expect(t, "another device", all, "added b/1/0")
		expect(t, "another device", one)

		b.set("0:fe80::2@f 1:10.0.0.2@f") // and nothing pokes
		time.Sleep(resyncPeriod + time.Second)
		expect(t, "a change without an event", all, "added b/1/1")

		h.missed("gone")
		expect(t, "lost events", one, "missed: gone")
		expect(t, "lost events", all, "missed: gone")

		a.leave(plugin.ErrLeaving)
		h.remove(a.device)
		expect(t, "a device that leaves", all, "removed a/1/0: the device was removed", "removed a/1/5: the device was removed")
		before, _ := a.count()
		h.poke(anyPort)
		time.Sleep(time.Minute)
		if after, _ := a.count(); after != before {
			t.Error("a device is read after its removal")
		}

		h.leave(one)
		h.leave(all)
		b.working.Wait()
		if len(h.keepers) > 0 {
			t.Error("tables are read while nobody watches")
		}
	})
}

// Remove waits for the work of its device while netdev-wide work walks the devices,
// and neither waits for the other for ever (the deadlock of 2015).
func TestRemoveFlushesItsDeviceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a, b := deaf(), newFakeDevice("a", "0:fe80::1@e"), newFakeDevice("b", "0:fe80::2@f")
		h.add(a.device)
		h.add(b.device)
		s := newSubscriber(&rocev1.WatchGIDsRequest{})
		if err := h.join(s); err != nil {
			t.Fatal(err)
		}
		expect(t, "at first", s, "ready")
		reading, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		a.mu.Lock()
		a.during = func() { once.Do(func() { close(reading); <-goOn }) }
		a.mu.Unlock()
		h.poke(anyPort)
		<-reading // a's work is under way, and takes its time
		removed := make(chan struct{})
		go func() {
			a.leave(plugin.ErrLeaving)
			h.remove(a.device)
			close(removed)
		}()
		synctest.Wait()
		h.poke(anyPort) // walks the devices meanwhile
		b.set("0:fe80::2@f 1:10.0.0.2@f")
		time.Sleep(time.Second)
		expect(t, "the other device", s, "added b/1/1")
		select {
		case <-removed:
			t.Error("Remove has not waited")
		default:
		}
		close(goOn)
		<-removed
		h.leave(s)
		b.working.Wait()
	})
}

// A state that a table has for 200 ms is told, whenever the kernel comes to it after
// the event, and the end is always right.
func TestWatchMissesNoLastingState(t *testing.T) {
	random := soak.Dice(t)
	synctest.Test(t, func(t *testing.T) {
		h, a := deaf(), newFakeDevice("a", "")
		h.add(a.device)
		s := newSubscriber(&rocev1.WatchGIDsRequest{})
		if err := h.join(s); err != nil {
			t.Fatal(err)
		}
		told(s)
		have := map[uint32]bool{}
		var lasting []uint32
		for i := range uint32(soak.Times(300, 20000)) {
			state := i + 100
			h.poke(anyPort) // the event
			time.Sleep(time.Duration(random.IntN(int(hotTime/time.Millisecond)-50)) * time.Millisecond)
			a.set(fmt.Sprintf("%d:10.0.0.1@e", state)) // the kernel's work
			length := time.Duration(random.IntN(300)) * time.Millisecond
			if length > 200*time.Millisecond {
				lasting = append(lasting, state)
			}
			time.Sleep(length)
			for _, c := range take(s) {
				have[c.GetGid().GetIndex()] = true
			}
		}
		time.Sleep(time.Minute)
		take(s)
		for _, state := range lasting {
			if !have[state] {
				t.Errorf("a state that lasted more than 200 ms was not told: %d", state)
			}
		}
		last := h.keepers[a.device].ports[1].entries
		if !sameTable(last, a.entries) {
			t.Errorf("in the end it has %v, and the table %v", last, a.entries)
		}
		h.leave(s)
		a.working.Wait()
	})
}

func take(s *subscriber) []*rocev1.GIDChange {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// A table that can't be read is told of once, and nothing is taken for gone.
func TestWatchOfATableThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a := deaf(), newFakeDevice("a", "0:fe80::1@e")
		h.add(a.device)
		s := newSubscriber(&rocev1.WatchGIDsRequest{})
		if err := h.join(s); err != nil {
			t.Fatal(err)
		}
		told(s)
		a.mu.Lock()
		a.err = errors.New("bad hardware")
		a.mu.Unlock()
		h.poke(anyPort)
		time.Sleep(2 * resyncPeriod)
		expect(t, "trouble", s, "missed: can't be read: bad hardware")
		a.mu.Lock()
		a.err = nil
		a.mu.Unlock()
		a.set("")
		time.Sleep(2 * resyncPeriod)
		expect(t, "after it", s, "removed a/1/0")
		h.leave(s)
		a.working.Wait()
	})
}

// What is quiet costs next to nothing; what is busy is read at a bounded rate, and not
// as a whole.
func TestWatchReadsSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a := deaf(), newFakeDevice("a", "0:fe80::1@e")
		h.add(a.device)
		s := newSubscriber(&rocev1.WatchGIDsRequest{})
		if err := h.join(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * coldTime)
		before, _ := a.count()
		time.Sleep(10 * time.Minute)
		after, wholeBefore := a.count()
		if n := after - before; n > int(10*time.Minute/resyncPeriod)+1 {
			t.Errorf("%d readings in ten quiet minutes", n)
		}
		before = after
		for range 1000 { // 100 events a second
			h.poke(anyPort)
			time.Sleep(10 * time.Millisecond)
		}
		after, whole := a.count()
		if n := after - before; n > int(10*time.Second/minPeriod)+2 {
			t.Errorf("%d readings in ten busy seconds without a change", n)
		}
		if n := whole - wholeBefore; n > 1 {
			t.Errorf("%d readings of the whole table in ten busy seconds", n)
		}
		told(s)
		h.leave(s)
		a.working.Wait()
	})
}

// One who does not read is cut off, and costs a bounded amount of memory.
func TestWatcherWhoDoesNotRead(t *testing.T) {
	s := newSubscriber(&rocev1.WatchGIDsRequest{})
	for range maxBehind + 10 {
		s.add(&rocev1.GIDChange{})
	}
	if _, err := s.next(t.Context()); err == nil || len(s.list) > 0 {
		t.Errorf("%d waiting, %v", len(s.list), err)
	}
}
