package plugin

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// counter counts the calls of a client that does nothing.
type counter struct{ adds, removes int }

func (c *counter) client() *funcClient {
	return &funcClient{
		add:    func(context.Context, *Device) (any, error) { c.adds++; return nil, nil },
		remove: func(context.Context, *Device) error { c.removes++; return nil },
	}
}

func (c *counter) want(t *testing.T, adds, removes int) {
	t.Helper()
	if c.adds != adds || c.removes != removes {
		t.Errorf("%d adds, %d removes; want %d, %d", c.adds, c.removes, adds, removes)
	}
}

// TestRepetition: what is said twice happens once, on the same stream or another.
func TestRepetition(t *testing.T) {
	var n counter
	bubble(t, n.client(), func(b *bed) {
		one, other := b.talk(1, 1), b.talk(1, 1)
		for i, c := range []*talk{one, one, other} {
			if err := c.add(); err != nil {
				t.Errorf("add %d: %v", i, err)
			}
		}
		n.want(t, 1, 0)
		for i, c := range []*talk{other, one, other} {
			if err := c.remove(); err != nil {
				t.Errorf("remove %d: %v", i, err)
			}
		}
		n.want(t, 1, 1)
		for _, c := range []*talk{one, other} {
			if err := c.end(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestRemoveOfTheUnknown is OK and calls nobody: before any Add, after an Add that
// failed, and in another epoch.
func TestRemoveOfTheUnknown(t *testing.T) {
	var n counter
	client := n.client()
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		if err := c.remove(); err != nil {
			t.Errorf("before add: %v", err)
		}
		client.add = func(context.Context, *Device) (any, error) { return nil, syscall.EBUSY }
		if err := c.add(); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("add: %v", err)
		}
		if err := c.remove(); err != nil {
			t.Errorf("after a failed add: %v", err)
		}
		client.add = nil
		if err := c.add(); err != nil {
			t.Errorf("add after a failed one: %v", err)
		}
		stranger := b.talk(1, 1)
		req := removeRequest()
		req.Id = &pluginv1.DeviceID{Epoch: epoch + 1, Index: 1, Generation: 1}
		stranger.ask(req)
		if r := <-stranger.stream.out; r.GetRemoved().GetError() != nil {
			t.Errorf("of another epoch: %v", r)
		}
		n.want(t, 0, 0)
		_ = stranger.end()
		_ = c.remove()
		_ = c.end()
	})
}

// TestStaleAdd: a device that was removed may come back, as one that was drained
// does, until a later generation on its index overtakes it. Devices without an
// index have nothing in common.
func TestStaleAdd(t *testing.T) {
	tests := []struct {
		what    string
		first   core.ID
		removed bool
		second  core.ID
		want    codes.Code
	}{
		{"back in service", core.ID{Index: 1, Generation: 5}, true, core.ID{Index: 1, Generation: 5}, codes.OK},
		{"overtaken by one that is there", core.ID{Index: 1, Generation: 5}, false, core.ID{Index: 1, Generation: 4}, codes.FailedPrecondition},
		{"overtaken by one that is gone", core.ID{Index: 1, Generation: 5}, true, core.ID{Index: 1, Generation: 4}, codes.FailedPrecondition},
		{"the next", core.ID{Index: 1, Generation: 5}, true, core.ID{Index: 1, Generation: 6}, codes.OK},
		{"older, on another index", core.ID{Index: 1, Generation: 5}, true, core.ID{Index: 2, Generation: 4}, codes.OK},
		{"older, without an index", core.ID{Index: core.NoIndex, Generation: 5}, true, core.ID{Index: core.NoIndex, Generation: 4}, codes.OK},
		{"back in service, without an index", core.ID{Index: core.NoIndex, Generation: 5}, true, core.ID{Index: core.NoIndex, Generation: 5}, codes.OK},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			bubble(t, &funcClient{}, func(b *bed) {
				first := b.talk(tt.first.Index, tt.first.Generation)
				if err := first.add(); err != nil {
					t.Fatal(err)
				}
				if tt.removed {
					if err := first.remove(); err != nil {
						t.Fatal(err)
					}
				}
				second := b.talk(tt.second.Index, tt.second.Generation)
				wantCode(t, "add", second.add(), tt.want)
				for _, c := range []*talk{first, second} {
					if err := c.remove(); err != nil {
						t.Error(err)
					}
					_ = c.end()
				}
			})
		})
	}
}

func TestAddOfAnotherEpoch(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		c := b.talk(1, 1)
		req := addRequest()
		req.Id = &pluginv1.DeviceID{Epoch: epoch + 1, Index: 1, Generation: 1}
		c.ask(req)
		wantCode(t, "add", (<-c.stream.out).GetAdded().GetError().Err(), codes.FailedPrecondition)
		_ = c.end()
	})
}

// TestAddWhileAdding: the second is refused while the first is at work, whose
// device it does not disturb.
func TestAddWhileAdding(t *testing.T) {
	var proceed chan struct{}
	client := &funcClient{add: func(context.Context, *Device) (any, error) { <-proceed; return nil, nil }}
	bubble(t, client, func(b *bed) {
		proceed = make(chan struct{})
		first, second := b.talk(1, 1), b.talk(1, 1)
		first.ask(addRequest())
		synctest.Wait()
		wantCode(t, "second add", second.add(), codes.FailedPrecondition)
		close(proceed)
		if err := first.added(); err != nil {
			t.Error(err)
		}
		_ = second.end()
		if got := b.server.devices.All(); len(got) != 1 {
			t.Errorf("devices %v", got)
		}
		_ = first.remove()
		_ = first.end()
	})
}

// TestRemoveEndsAdd: a Remove that comes while Add runs ends its context, and is
// answered after it; if Add succeeded all the same, the author's Remove is called.
func TestRemoveEndsAdd(t *testing.T) {
	for _, succeed := range []bool{false, true} {
		var n counter
		client := n.client()
		client.add = func(ctx context.Context, _ *Device) (any, error) {
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != ErrLeaving {
				t.Errorf("cause %v", cause)
			}
			if succeed {
				return nil, nil
			}
			return nil, context.Cause(ctx)
		}
		bubble(t, client, func(b *bed) {
			c := b.talk(1, 1)
			c.ask(addRequest())
			c.silent()
			c.ask(removeRequest())
			if err := c.added(); (err == nil) != succeed {
				t.Errorf("added: %v, want success %v", err, succeed)
			}
			if err := c.removed(); err != nil {
				t.Errorf("removed: %v", err)
			}
			if want := map[bool]int{false: 0, true: 1}[succeed]; n.removes != want {
				t.Errorf("%d removes, want %d", n.removes, want)
			}
			_ = c.end()
		})
	}
}

// TestRemoveEndsChange: the same for a Change, which is answered first.
func TestRemoveEndsChange(t *testing.T) {
	removed := false
	client := &funcClient{
		changed: func(ctx context.Context, _ *Device, _ core.Change) error {
			<-ctx.Done()
			if removed {
				t.Error("Remove overlaps Changed")
			}
			return ctx.Err()
		},
		remove: func(context.Context, *Device) error { removed = true; return nil },
	}
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		_ = c.add()
		c.ask(changeRequest("rxe0", core.ChangeGIDs))
		c.silent()
		c.ask(removeRequest())
		wantCode(t, "changed", c.reply().GetChanged().GetError().Err(), codes.FailedPrecondition)
		if err := c.removed(); err != nil {
			t.Error(err)
		}
		_ = c.end()
	})
}

func TestChange(t *testing.T) {
	var heard []string
	client := &funcClient{changed: func(_ context.Context, dev *Device, what core.Change) error {
		heard = append(heard, what.String()+" "+dev.Info().Name)
		return nil
	}}
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		wantCode(t, "before add", c.change("rxe1", core.ChangeName), codes.NotFound)
		_ = c.add()
		if err := c.change("rxe1", core.ChangeName|core.ChangeNetdev); err != nil {
			t.Error(err)
		}
		if len(heard) != 1 || heard[0] != "name,netdev rxe1" {
			t.Errorf("heard %q", heard)
		}
		_ = c.remove()
		wantCode(t, "after remove", c.change("rxe2", core.ChangeName), codes.FailedPrecondition)
		_ = c.end()
	})
}

// TestTimeouts: the contexts of a request end when its time is up.
func TestTimeouts(t *testing.T) {
	var add, remove time.Duration
	left := func(ctx context.Context, d *time.Duration) {
		if end, ok := ctx.Deadline(); ok {
			*d = time.Until(end)
		}
	}
	client := &funcClient{
		add:    func(ctx context.Context, _ *Device) (any, error) { left(ctx, &add); return nil, nil },
		remove: func(ctx context.Context, _ *Device) error { left(ctx, &remove); return nil },
	}
	bubble(t, client, func(b *bed) {
		c := b.talk(1, 1)
		req := addRequest()
		req.TimeoutMs = 1500
		c.ask(req)
		_ = c.added()
		_ = c.remove() // without a limit
		_ = c.end()
	})
	if add != 1500*time.Millisecond || remove != 0 {
		t.Errorf("time for add %v, for remove %v", add, remove)
	}
}

// TestNonsense ends the conversation.
func TestNonsense(t *testing.T) {
	tests := []struct {
		what string
		req  *pluginv1.DeviceRequest
		want codes.Code
	}{
		{"another device", &pluginv1.DeviceRequest{Id: &pluginv1.DeviceID{Epoch: epoch, Index: 2, Generation: 1}, Request: removeRequest().Request}, codes.InvalidArgument},
		{"an unknown request", &pluginv1.DeviceRequest{Id: &pluginv1.DeviceID{Epoch: epoch, Index: 1, Generation: 1}}, codes.Unimplemented},
		{"no device", &pluginv1.DeviceRequest{Request: removeRequest().Request}, codes.InvalidArgument},
	}
	for _, tt := range tests {
		bubble(t, &funcClient{}, func(b *bed) {
			c := b.talk(1, 1)
			_ = c.remove()
			c.stream.in <- tt.req
			wantCode(t, tt.what, <-c.ended, tt.want)
		})
	}
}

func TestAddOfAnImpossibleDevice(t *testing.T) {
	var n counter
	bubble(t, n.client(), func(b *bed) {
		c := b.talk(1, 1)
		req := addRequest()
		absurd := uint32(1000)
		req.GetAdd().Device.NodeType = &absurd
		c.ask(req)
		wantCode(t, "add", c.added(), codes.InvalidArgument)
		n.want(t, 0, 0)
		_ = c.end()
	})
}

// TestOrphan: a conversation that breaks off with its device attached takes the
// device off, and returns after that.
func TestOrphan(t *testing.T) {
	var n counter
	bubble(t, n.client(), func(b *bed) {
		c := b.talk(1, 1)
		_ = c.add()
		c.abort()
		if err := <-c.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
		n.want(t, 1, 1)
	})
}

// TestEveryRemoveReturnsLate: whoever asks, Remove is answered when it is done.
func TestEveryRemoveReturnsLate(t *testing.T) {
	var proceed chan struct{}
	client := &funcClient{remove: func(context.Context, *Device) error { <-proceed; return syscall.EIO }}
	bubble(t, client, func(b *bed) {
		proceed = make(chan struct{})
		first, second := b.talk(1, 1), b.talk(1, 1)
		_ = first.add()
		first.ask(removeRequest())
		second.ask(removeRequest())
		first.silent()
		second.silent()
		close(proceed)
		for _, c := range []*talk{first, second} {
			if err := c.removed(); !errors.Is(err, syscall.EIO) {
				t.Errorf("removed: %v", err)
			}
			_ = c.end()
		}
	})
}

func TestIntroduction(t *testing.T) {
	s := newServer(&funcClient{configure: func(_ context.Context, _ *Host, config []byte) error {
		if string(config) != "{}" {
			return syscall.EINVAL
		}
		return nil
	}}, true)
	info, err := s.Info(t.Context(), nil)
	if err != nil || info.GetName() != "func" || info.GetVersion() != "v" || !info.GetChildless() {
		t.Errorf("info %v, %v", info, err)
	}
	if _, err := s.Configure(t.Context(), &pluginv1.ConfigureRequest{Config: []byte("{}")}); err != nil {
		t.Error(err)
	}
	_, err = s.Configure(t.Context(), &pluginv1.ConfigureRequest{})
	wantCode(t, "second configure", err, codes.FailedPrecondition)
}
