package host

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		s := follow(t, newKernel("rxe0", "rxe1"), c)
		s.same()
		if !s.synced {
			t.Error("not synced")
		}
		slices.Sort(c.calls)
		if got := c.made(); !slices.Equal(got, []string{"Add rxe0", "Add rxe1"}) {
			t.Errorf("calls: %v", got)
		}

		index := s.add("rxe2")
		s.hint(hint{name: "rxe2"})
		s.same()
		s.rename(0, "hca0")
		s.hint(hint{name: "hca0"})
		s.same()
		s.change(1, func(d *rdma.Device) { d.Firmware = "2" })
		s.hint(hint{index: rdma.Known(uint32(1))})
		s.same()
		s.remove(index)
		s.hint(hint{name: "rxe2"})
		s.same()
		want := []string{"Add rxe2", "Changed hca0", "Changed rxe1", "Remove rxe2"}
		if got := c.made(); !slices.Equal(got, want) {
			t.Errorf("calls: %v, want %v", got, want)
		}
		s.end()
		if got := c.made(); got != nil {
			t.Errorf("at the end: %v", got)
		}
	})
}

// What an event says is not believed; what the list says is.
func TestEventsAreHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		s := follow(t, newKernel("rxe0"), c)
		c.made()
		for _, h := range []hint{{name: "rxe0"}, {name: "nonesuch"}, {index: rdma.Known(uint32(0))}, {index: rdma.Known(uint32(77))}, {}} {
			s.hint(h) // a removal, say, that is not true, or long past
			s.same()
		}
		if got := c.made(); got != nil {
			t.Errorf("calls: %v", got)
		}
		s.end()
	})
}

// Without any event, the resync finds what has changed.
func TestResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := follow(t, newKernel("rxe0", "rxe1"))
		s.remove(0)
		s.add("rxe2")
		s.change(1, func(d *rdma.Device) { d.Firmware = "2" })
		time.Sleep(s.f.opts.Resync)
		synctest.Wait()
		s.same()
		s.end()
	})
}

// Where a glance is to be had, nothing more is read until it shows a difference, or
// a long time has passed.
func TestResyncByAGlance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel("rxe0", "rxe1")
		k.glances = true
		c := newClient()
		s := follow(t, k, c)
		c.made()
		after := func(looks int) (reads int) {
			before := k.readsSoFar()
			time.Sleep(time.Duration(looks) * s.f.opts.Resync)
			synctest.Wait()
			return k.readsSoFar() - before
		}
		if n := after(2); n != 0 {
			t.Errorf("%d reads, and nothing was different", n)
		}
		s.change(1, func(d *rdma.Device) { d.Ports = []rdma.Port{{Number: 1}} })
		if n := after(2); n != 1 {
			t.Errorf("%d reads of what was different once", n)
		}
		s.change(0, func(d *rdma.Device) { d.Firmware = "2" }) // not to be seen at a glance
		if n := after(rereadEvery); n != 2 {
			t.Errorf("%d reads of two devices", n)
		}
		if got := c.made(); !slices.Equal(got, []string{"Changed rxe1", "Changed rxe0"}) {
			t.Errorf("calls: %v", got)
		}
		s.remove(0)
		s.rename(1, "hca1")
		after(1)
		s.same()
		s.end()
	})
}

// A device whose client does not let go holds up no other, but for one of its name.
func TestSlowRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Remove rxe0")
		s := follow(t, newKernel("rxe0", "rxe1"), c)
		s.remove(0)
		s.remove(1)
		s.add("rxe2")
		reborn := s.add("rxe0")
		s.hint(hint{})
		want := map[uint32]string{2: "rxe2 "}
		if got := registered(s.reg); !maps.Equal(got, want) {
			t.Errorf("registered: %v, want %v", got, want)
		}
		s.rename(2, "hca2")
		s.add("rxe4")
		s.hint(hint{})
		if got := registered(s.reg); len(got) != 2 || got[2] != "hca2 " {
			t.Errorf("registered: %v", got)
		}
		c.release("Remove rxe0")
		synctest.Wait()
		s.same()
		if _, err := s.reg.LookupIndex(reborn); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

// The same without the registry's help: the reborn device comes before the old
// one has been asked to leave.
func TestRebornDuringAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Add rxe0")
		s := follow(t, newKernel("rxe0"), c)
		s.remove(0)
		s.add("rxe0")
		s.hint(hint{}) // interrupts the first Add; the second waits likewise
		c.release("Add rxe0")
		synctest.Wait()
		s.same()
		s.end()
	})
}

func TestGoneDuringAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Add rxe0")
		s := follow(t, newKernel("rxe0"), c)
		s.remove(0)
		s.hint(hint{})
		s.same()
		s.end()
		if len(s.reg.Devices()) != 0 || len(s.f.keepers) != 0 {
			t.Errorf("left: %v, %d keepers", s.reg.Devices(), len(s.f.keepers))
		}
	})
}

// A client that takes its time over a change does not keep a device that is gone.
func TestGoneDuringChange(t *testing.T) {
	for _, change := range []func(*following){
		func(s *following) { s.change(0, func(d *rdma.Device) { d.Firmware = "2" }) },
		func(s *following) { s.rename(0, "hca0") },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient("Changed rxe0", "Changed hca0")
			s := follow(t, newKernel("rxe0"), c)
			change(s)
			s.hint(hint{})
			s.remove(0)
			s.hint(hint{})
			s.same()
			s.add("rxe0")
			s.add("hca0")
			s.hint(hint{})
			s.same()
			s.end()
		})
	}
}

// Names that went round in a circle while nobody looked.
func TestSwappedNames(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		synctest.Test(t, func(t *testing.T) {
			names := strings.Fields("a b c d e")[:n]
			c := newClient()
			s := follow(t, newKernel(names...), c)
			c.made()
			for i := range names {
				s.rename(uint32(i), names[(i+1)%n])
			}
			s.hint(hint{})
			s.same()
			for _, call := range c.made() {
				if strings.HasPrefix(call, "Add") || strings.HasPrefix(call, "Remove") {
					t.Errorf("%d: %s", n, call)
				}
			}
			s.end()
		})
	}
}

// A name passed on in a chain whose end is slow to leave is waited for.
func TestNamePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Remove c")
		s := follow(t, newKernel("a", "b", "c"), c)
		s.remove(2)
		s.rename(1, "c")
		s.rename(0, "b")
		s.hint(hint{})
		want := map[uint32]string{0: "a ", 1: "b "}
		if got := registered(s.reg); !maps.Equal(got, want) {
			t.Errorf("registered: %v", got)
		}
		// While they wait, one of them gets yet another name.
		s.rename(1, "d")
		s.hint(hint{})
		s.same()
		c.release("Remove c")
		synctest.Wait()
		s.same()
		s.end()
	})
}

// A device can come back under its own index, from another namespace, before
// its clients have let go of it.
func TestSameIndexAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Remove rxe0")
		s := follow(t, newKernel("rxe0"), c)
		s.remove(0)
		s.hint(hint{})
		s.put(0, "rxe0")
		s.hint(hint{})
		if got := registered(s.reg); len(got) != 0 {
			t.Errorf("registered before the old one has left: %v", got)
		}
		c.release("Remove rxe0")
		synctest.Wait()
		s.same()
		s.end()
	})
}

// A list that fails takes no device away, and is tried again.
func TestListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := follow(t, newKernel("rxe0"))
		broken := errors.New("broken")
		s.kernel.mu.Lock()
		s.listErr = broken
		s.kernel.mu.Unlock()
		s.add("rxe1")
		s.hint(hint{})
		if got := registered(s.reg); len(got) != 1 {
			t.Errorf("registered: %v", got)
		}
		s.kernel.mu.Lock()
		s.listErr = nil
		s.kernel.mu.Unlock()
		time.Sleep(s.f.opts.Resync)
		synctest.Wait()
		s.same()
		if errs := s.reported(); len(errs) != 1 || !errors.Is(errs[0], broken) {
			t.Errorf("reported: %v", errs)
		}
		s.errs = nil
		s.end()
	})
}

// A kernel that has no RDMA yet may have some later.
func TestNoRDMAYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel()
		k.listErr = ErrNoRDMA
		s := follow(t, k)
		if !s.synced {
			t.Error("not synced")
		}
		s.kernel.mu.Lock()
		s.listErr = nil
		s.kernel.mu.Unlock()
		s.add("rxe0")
		s.hint(hint{})
		s.same()
		s.end()
	})
}

// A device that cannot be read is tried again; it holds up no other.
func TestReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel("rxe0", "rxe1")
		k.readErr["rxe0"] = errors.New("broken")
		s := follow(t, k)
		if got := registered(s.reg); len(got) != 1 {
			t.Errorf("registered: %v", got)
		}
		s.kernel.mu.Lock()
		delete(s.readErr, "rxe0")
		s.kernel.mu.Unlock()
		time.Sleep(s.f.opts.Resync)
		synctest.Wait()
		s.same()
		if errs := s.reported(); len(errs) != 1 {
			t.Errorf("reported: %v", errs)
		}
		s.errs = nil
		s.end()
	})
}

// A name that somebody else has registered is reported, and taken once it is free.
func TestForeignName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel()
		s := follow(t, k)
		stranger, err := s.reg.RegisterDevice(t.Context(), rdma.Device{Name: "rxe0"})
		if err != nil {
			t.Fatal(err)
		}
		s.add("rxe0")
		s.hint(hint{})
		time.Sleep(2 * s.f.opts.Resync)
		synctest.Wait()
		if len(s.reported()) == 0 {
			t.Error("nothing reported")
		}
		if err := s.reg.UnregisterDevice(t.Context(), stranger); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * s.f.opts.Resync)
		synctest.Wait()
		s.same()
		s.errs = nil
		s.end()
	})
}

// The end of ctx ends everything, also what waits for a client.
func TestEndWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Add rxe0", "Changed rxe1")
		s := follow(t, newKernel("rxe0", "rxe1"), c)
		s.change(1, func(d *rdma.Device) { d.Firmware = "2" })
		s.hint(hint{})
		s.stop(errStop)
		synctest.Wait()
		c.release("Changed rxe1")
		if err := <-s.ended; !errors.Is(err, errStop) {
			t.Errorf("got %v", err)
		}
		if got := registered(s.reg); len(got) != 1 {
			t.Errorf("registered: %v", got)
		}
	})
}
