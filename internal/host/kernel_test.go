package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/roce"
)

// TestMain lets the test binary be the plugin process of a benchmark.
func TestMain(m *testing.M) {
	switch name, _ := plugin.ServeName(os.Args); name {
	case roce.Name:
		plugin.Serve(roce.New())
	case cm.Name:
		plugin.Serve(cm.New())
	default:
		goleak.VerifyTestMain(m)
	}
}

// kernel is a list of devices that changes under those who read it.
type kernel struct {
	mu      sync.Mutex
	devices map[uint32]rdma.Device
	next    uint32
	listErr error
	readErr map[string]error
	glances bool // it has something that is cheap to ask
	reads   int
}

func newKernel(names ...string) *kernel {
	k := &kernel{devices: map[uint32]rdma.Device{}, readErr: map[string]error{}}
	for _, n := range names {
		k.add(n)
	}
	return k
}

func (k *kernel) add(name string) (index uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	index = k.next
	k.next++
	k.devices[index] = rdma.Device{Index: rdma.Known(index), Name: name}
	return index
}

// put lets a device come back under the index it had, as from another namespace.
func (k *kernel) put(index uint32, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[index] = rdma.Device{Index: rdma.Known(index), Name: name}
}

func (k *kernel) remove(index uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.devices, index)
}

func (k *kernel) change(index uint32, change func(*rdma.Device)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[index]
	change(&d)
	k.devices[index] = d
}

func (k *kernel) rename(index uint32, name string) {
	k.change(index, func(d *rdma.Device) { d.Name = name })
}

func (k *kernel) list(context.Context) ([]sighting, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []sighting
	for i, d := range k.devices {
		all = append(all, sighting{key{index: rdma.Known(i)}, rdma.Device{Index: d.Index, Name: d.Name}})
	}
	return all, k.listErr
}

func (k *kernel) read(_ context.Context, seen rdma.Device) (rdma.Device, []rdma.Warning, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	d, ok := k.devices[seen.Index.Or(0)]
	if !ok {
		return seen, nil, ErrVanished
	}
	return d, nil, k.readErr[d.Name]
}

// readsSoFar is how often a device was read.
func (k *kernel) readsSoFar() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reads
}

// glance tells of the ports alone.
func (k *kernel) glance(_ context.Context, seen rdma.Device) (rdma.Device, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.devices[seen.Index.Or(0)]
	return rdma.Device{Name: d.Name, Ports: d.Ports}, ok
}

// state is what the kernel has, or the registry: name → facts, by index.
func (k *kernel) state() map[uint32]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[uint32]string{}
	for i, d := range k.devices {
		all[i] = d.Name + " " + d.Firmware
	}
	return all
}

func registered(r *core.Registry) map[uint32]string {
	all := map[uint32]string{}
	for _, d := range r.Devices() {
		all[d.ID.Index] = d.Info.Name + " " + d.Info.Firmware
	}
	return all
}

// following is a Follow over a kernel, in a bubble of synctest.
type following struct {
	*kernel
	*testing.T
	f      *follower
	reg    *core.Registry
	stop   context.CancelCauseFunc
	ended  chan error
	mu     sync.Mutex
	errs   []error
	synced bool
}

var errStop = errors.New("stopped by the test")

func follow(t *testing.T, k *kernel, clients ...core.Client) *following {
	t.Helper()
	s := &following{kernel: k, T: t, reg: core.NewRegistry(core.Options{}), ended: make(chan error, 1)}
	for _, c := range clients {
		if err := s.reg.RegisterClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	s.f = newFollower(s.reg, FollowOptions{
		Synced: func() { s.mu.Lock(); s.synced = true; s.mu.Unlock() },
		Report: func(err error) { s.mu.Lock(); s.errs = append(s.errs, err); s.mu.Unlock() },
	}, k.list, k.read)
	if k.glances {
		s.f.glance = k.glance
	}
	ctx, stop := context.WithCancelCause(t.Context())
	s.stop = stop
	go func() { s.ended <- s.f.run(ctx) }()
	synctest.Wait()
	return s
}

// hint tells that something may have changed, and waits for the effect.
func (s *following) hint(h hint) {
	s.Helper()
	s.f.hint(s.Context(), h)
	synctest.Wait()
}

// same fails unless the registry has what the kernel has.
func (s *following) same() {
	s.Helper()
	if got, want := registered(s.reg), s.state(); !maps.Equal(got, want) {
		s.Errorf("registered: %v, the kernel has: %v", got, want)
	}
}

func (s *following) reported() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
}

// end stops following, and fails if something was reported.
func (s *following) end() {
	s.Helper()
	s.stop(errStop)
	if err := <-s.ended; !errors.Is(err, errStop) {
		s.Errorf("Follow ended with %v", err)
	}
	if errs := s.reported(); len(errs) > 0 {
		s.Errorf("reported: %v", errs)
	}
}

// client is an IB client whose calls can be held up, by "Add rxe0" and the like.
type client struct {
	mu    sync.Mutex
	calls []string
	hold  map[string]chan struct{}
}

func newClient(holds ...string) *client {
	c := &client{hold: map[string]chan struct{}{}}
	for _, h := range holds {
		c.hold[h] = make(chan struct{})
	}
	return c
}

func (c *client) call(ctx context.Context, what string, d core.Device) error {
	call := fmt.Sprintf("%s %s", what, d.Info.Name)
	c.mu.Lock()
	held := c.hold[call]
	c.calls = append(c.calls, call)
	c.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *client) Name() string { return "test" }

func (c *client) Add(ctx context.Context, d core.Device) (any, error) {
	return nil, c.call(ctx, "Add", d)
}

func (c *client) Remove(ctx context.Context, d core.Device, _ any) error {
	return c.call(ctx, "Remove", d)
}

func (c *client) Changed(ctx context.Context, d core.Device, _ any, what core.Change) error {
	return c.call(ctx, "Changed", d)
}

// made returns the calls so far, and forgets them.
func (c *client) made() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *client) release(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.hold[call])
	delete(c.hold, call)
}
