package host

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
)

// onNetdev puts the device's port on a netdev.
func onNetdev(index, mtu uint32) func(*rdma.Device) {
	return func(d *rdma.Device) {
		d.Ports = []rdma.Port{{Number: 1, NetdevIndex: rdma.Known(index), ActiveMTU: rdma.Known(mtu)}}
	}
}

// A device is read anew when a netdev of one of its ports changes, and not when
// one changes that is nobody's.
func TestLinksAreHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient()
		k := newKernel("rxe0", "rxe1")
		k.change(0, onNetdev(7, 1024))
		k.change(1, onNetdev(8, 1024))
		s := follow(t, k, c)
		c.made()
		s.change(0, onNetdev(7, 4096))
		s.change(1, onNetdev(8, 4096))
		s.hint(hint{netdev: rdma.Known(uint32(9))})
		if got := c.made(); got != nil {
			t.Errorf("nobody's netdev: %v", got)
		}
		s.hint(hint{netdev: rdma.Known(uint32(7))})
		if got := c.made(); !slices.Equal(got, []string{"Changed rxe0"}) {
			t.Errorf("rxe0's netdev: %v", got)
		}
		s.change(1, onNetdev(9, 4096)) // moved to another
		s.hint(hint{netdev: rdma.Known(uint32(8))})
		if got := c.made(); !slices.Equal(got, []string{"Changed rxe1"}) {
			t.Errorf("rxe1's netdev: %v", got)
		}
		s.change(1, onNetdev(9, 1024))
		s.hint(hint{netdev: rdma.Known(uint32(9))})
		if got := c.made(); !slices.Equal(got, []string{"Changed rxe1"}) {
			t.Errorf("rxe1's other netdev: %v", got)
		}
		s.end()
	})
}

// What happens to a netdev while its device is being added is not lost.
func TestLinkChangesDuringAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("Add rxe0")
		k := newKernel("rxe0")
		k.change(0, onNetdev(7, 1024))
		s := follow(t, k, c)
		s.change(0, onNetdev(9, 1024))
		s.hint(hint{netdev: rdma.Known(uint32(9))})
		c.release("Add rxe0")
		synctest.Wait()
		if d, err := s.reg.LookupIndex(0); err != nil || d.Info.Ports[0].NetdevIndex.Or(0) != 9 {
			t.Errorf("%v, %v", d, err)
		}
		s.end()
	})
}

// A burst of messages leads to one hint for each link, a little later.
func TestLinksAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		heard, sent := make(chan hint), make(chan hint, 1000)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			gather(ctx, heard, func(_ context.Context, h hint) { sent <- h })
		}()
		got := func() map[hint]int {
			synctest.Wait()
			counts := map[hint]int{}
			for len(sent) > 0 {
				counts[<-sent]++
			}
			return counts
		}
		for range 100 {
			heard <- linkHint(7)
			heard <- linkHint(8)
		}
		heard <- linkHint(0)
		if early := got(); len(early) > 0 {
			t.Errorf("at once: %v", early)
		}
		time.Sleep(2 * linkPause)
		if all := got(); !maps.Equal(all, map[hint]int{linkHint(7): 1, linkHint(8): 1, {}: 1}) {
			t.Errorf("sent: %v", all)
		}
		heard <- linkHint(7)
		time.Sleep(2 * linkPause)
		if all := got(); !maps.Equal(all, map[hint]int{linkHint(7): 1}) {
			t.Errorf("the next one: %v", all)
		}
		stop()
		<-ended
	})
}
