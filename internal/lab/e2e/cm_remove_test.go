package e2e

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// TestCMListenerLetsGoBeforeRemoveReturns, and takes the device up again when it is added again; the other device's pings are
// answered all the time.
func TestCMListenerLetsGoBeforeRemoveReturns(t *testing.T) {
	onOldestAndNewest(t)
	oneNamespace(t)
	c := startCM(t, cm.Config{})
	a := c.register(t, "rxea")
	c.register(t, "rxeb")
	events := c.listen(t)
	for range 10 {
		untilListening(t, events, "rxea")
		if c.ids(t, "rxea") == 0 || c.ids(t, "rxeb") == 0 {
			t.Fatal("it listens, and the kernel knows no ids")
		}
		c.unregister(t, a)
		if n := c.ids(t, "rxea"); n != 0 {
			t.Fatalf("%d ids are left on rxea after Remove", n)
		}
		wantOutcomes(t, ping(t, "", 0, hostB, "--from", hostA, "-c", "1"), 1, "identified")
		wantOutcomes(t, ping(t, "", 0, hostA, "--from", hostB, "-c", "1"), 1, "no_listener")
		a = c.register(t, "rxea")
	}
}

// TestCMPingLetsGoBeforeRemoveReturns: a ping goes on while the device that it may be on is removed and added. When Remove has
// returned, nothing of the client's is on the device, nor gets there, although the kernel would lead it there.
func TestCMPingLetsGoBeforeRemoveReturns(t *testing.T) {
	onOldestAndNewest(t)
	oneNamespace(t)
	c := startCM(t, cm.Config{})
	a := c.register(t, "rxea")
	c.register(t, "rxeb")
	pings := c.pingOn(t)
	defer pings.stop()
	for range 10 {
		pings.next(t, cmv1.Outcome_OUTCOME_NO_LISTENER)
		c.unregister(t, a)
		for range 5 {
			if n := c.ids(t, "rxea"); n != 0 {
				t.Fatalf("%d ids on rxea after Remove", n)
			}
		}
		pings.next(t, cmv1.Outcome_OUTCOME_UNREACHABLE)
		a = c.register(t, "rxea")
	}
}

// pings go on until they are told to stop.
type pings struct {
	stop func()
	mu   sync.Mutex
	seen map[cmv1.Outcome]int
}

func (p *pings) count(o cmv1.Outcome) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[o]
}

// next waits until one more ping has come out like that.
func (p *pings) next(t *testing.T, o cmv1.Outcome) {
	t.Helper()
	before := p.count(o)
	waitFor(t, o.String(), func() bool { return p.count(o) > before })
}

// pingOn pings host B.
func (c *cmClient) pingOn(t *testing.T) *pings {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	to, from := netip.AddrPortFrom(netip.MustParseAddr(hostB), cm.DefaultPort), netip.AddrPortFrom(netip.MustParseAddr(hostA), 0)
	stream, err := c.Ping(ctx, &cmv1.PingRequest{Destination: cmv1.NewAddress(to), Source: cmv1.NewAddress(from), IntervalMs: 10})
	if err != nil {
		t.Fatal(err)
	}
	p := &pings{seen: map[cmv1.Outcome]int{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			reply, err := stream.Recv()
			if err != nil {
				if status.Code(err) != codes.Canceled {
					t.Error(err)
				}
				return
			}
			p.mu.Lock()
			p.seen[reply.GetOutcome()]++
			p.mu.Unlock()
		}
	})
	p.stop = func() {
		cancel()
		reading.Wait()
	}
	return p
}

// TestCMSilentPeerDoesNotDelayRemove: a ping waits for an answer that never comes.
func TestCMSilentPeerDoesNotDelayRemove(t *testing.T) {
	oneNamespace(t)
	c := startCM(t, cm.Config{})
	a := c.register(t, "rxea")
	run(t, "ip", "link", "set", "vb", "down") // the neighbour does not answer either
	pings := c.pingOn(t)
	time.Sleep(200 * time.Millisecond)
	c.unregister(t, a)
	if n := c.ids(t, "rxea"); n != 0 {
		t.Errorf("%d ids on rxea after Remove", n)
	}
	pings.stop()
}

// TestCMDefaultsArePutBack: what the configuration names is there whenever the device is added, also if the kernel has made it anew.
func TestCMDefaultsArePutBack(t *testing.T) {
	oneNamespace(t)
	c := startCM(t, cm.Config{Defaults: []cm.DeviceDefaults{
		{Device: "rxe*", Defaults: cm.Defaults{TOS: rdma.Known(cm.TOS(106)), RoCEMode: rdma.GIDTypeRoCEv2}},
		{Device: "rxeb", Defaults: cm.Defaults{TOS: rdma.Known(cm.TOS(8))}},
	}})
	for range 3 {
		a, b := c.register(t, "rxea"), c.register(t, "rxeb")
		if tos := throughConfigfs(t, "rxea", "default_roce_tos", ""); tos != "106" {
			t.Errorf("rxea has TOS %s, want 106", tos)
		}
		if tos := throughConfigfs(t, "rxeb", "default_roce_tos", ""); tos != "8" {
			t.Errorf("rxeb has TOS %s, want 8", tos)
		}
		nothingLeft(t, "rxea")
		c.unregister(t, a)
		c.unregister(t, b)
		run(t, "rdma", "link", "del", "rxea")
		run(t, "rdma", "link", "add", "rxea", "type", "rxe", "netdev", "va")
		if tos := throughConfigfs(t, "rxea", "default_roce_tos", ""); tos != "0" {
			t.Errorf("a new device has TOS %s: the premise is gone", tos)
		}
	}
}

// TestCMListenSurvivesTheDevice: the kernel takes a device away that ibctl listens on. It goes at once, the rest goes on.
func TestCMListenSurvivesTheDevice(t *testing.T) {
	oneNamespace(t)
	listener := ibctlListen(t)
	run(t, "rdma", "link", "del", "rxea")
	for e := listener.next(t); !(e.Event == "stopped" && strings.HasPrefix(e.Address, hostA)); e = listener.next(t) {
	}
	wantOutcomes(t, ping(t, "", 0, hostB, "--from", hostB, "-c", "1"), 1, "identified")
	run(t, "ip", "addr", "add", "10.1.1.12/24", "dev", "vb")
	for e := listener.next(t); !(e.Event == "listening" && strings.HasPrefix(e.Address, "10.1.1.12:")); e = listener.next(t) {
	}
	run(t, "ip", "addr", "del", "10.1.1.12/24", "dev", "vb")
	for e := listener.next(t); !(e.Event == "stopped" && strings.HasPrefix(e.Address, "10.1.1.12:")); e = listener.next(t) {
	}
}
