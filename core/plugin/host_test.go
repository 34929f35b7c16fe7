package plugin

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// hostSide is the host's end of a Host stream.
type hostSide struct {
	stream *fakeStream[pluginv1.HostReply, pluginv1.HostCall]
	abort  context.CancelFunc
	ended  chan error
}

func (b *bed) openHost() *hostSide {
	ctx, abort := context.WithCancel(context.Background())
	h := &hostSide{abort: abort, ended: make(chan error, 1)}
	h.stream = &fakeStream[pluginv1.HostReply, pluginv1.HostCall]{
		ctx: ctx, in: make(chan *pluginv1.HostReply, 10), out: make(chan *pluginv1.HostCall, 10)}
	go func() { h.ended <- b.server.Host(h.stream) }()
	return h
}

func (h *hostSide) call() *pluginv1.HostCall { return <-h.stream.out }

func (h *hostSide) answer(call *pluginv1.HostCall, names ...string) {
	list := new(pluginv1.DeviceList)
	for i, name := range names {
		id := core.ID{Index: uint32(i), Generation: uint64(i)}
		list.Devices = append(list.Devices, &pluginv1.RegisteredDevice{
			Id: pluginv1.NewDeviceID(epoch, id), Device: pluginv1.NewDevice(rdma.Device{Name: name})})
	}
	h.stream.in <- &pluginv1.HostReply{Call: call.GetCall(), Reply: &pluginv1.HostReply_Devices{Devices: list}}
}

func (h *hostSide) close() { h.abort(); <-h.ended }

// asker returns a client that asks in Remove, and the device it was given.
func asker(result *error) *funcClient {
	return &funcClient{remove: func(ctx context.Context, dev *Device) error {
		_, *result = dev.Host().Devices(ctx)
		return nil
	}}
}

// TestHostCallInRemove works, carries the device's id, and is refused afterwards.
func TestHostCallInRemove(t *testing.T) {
	var result error
	client := asker(&result)
	var kept *Device
	client.add = func(_ context.Context, dev *Device) (any, error) { kept = dev; return nil, nil }
	bubble(t, client, func(b *bed) {
		h := b.openHost()
		c := b.talk(1, 1)
		_ = c.add()
		c.ask(removeRequest())
		call := h.call()
		if call.GetDevice().ID() != c.id || call.GetDevice().GetEpoch() != epoch {
			t.Errorf("call on behalf of %v", call.GetDevice())
		}
		c.silent()
		h.answer(call)
		if err := c.removed(); err != nil || result != nil {
			t.Errorf("removed: %v, call: %v", err, result)
		}
		if _, err := kept.Host().RoCEPorts(b.Context(), rdma.Opt[uint32]{}); !errors.Is(err, ErrRemoved) {
			t.Errorf("call after Remove: %v", err)
		}
		_ = c.end()
		h.close()
	})
}

// TestRemoveWaitsForHostCalls that goroutines of the author's own have made.
func TestRemoveWaitsForHostCalls(t *testing.T) {
	var bare chan error
	client := &funcClient{add: func(_ context.Context, dev *Device) (any, error) {
		go func() {
			_, err := dev.Host().Devices(context.Background())
			bare <- err
		}()
		return nil, nil
	}}
	bubble(t, client, func(b *bed) {
		bare = make(chan error, 1)
		h := b.openHost()
		c := b.talk(1, 1)
		_ = c.add()
		call := h.call()
		c.ask(removeRequest())
		c.silent()
		h.answer(call)
		if err := c.removed(); err != nil {
			t.Error(err)
		}
		if err := <-bare; err != nil {
			t.Error(err)
		}
		_ = c.end()
		h.close()
	})
}

// TestHostRepliesInAnyOrder reach those who asked.
func TestHostRepliesInAnyOrder(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		h := b.openHost()
		host := &Host{calls: b.server.calls}
		ask := func() chan string {
			got := make(chan string, 1)
			go func() {
				list, err := host.Devices(context.Background())
				if err != nil || len(list) != 1 {
					t.Errorf("devices %v, %v", list, err)
					got <- ""
					return
				}
				got <- list[0].Info.Name
			}()
			return got
		}
		one := ask()
		first := h.call()
		two := ask()
		second := h.call()
		h.answer(second, "second")
		h.answer(first, "first")
		if a, b := <-one, <-two; a != "first" || b != "second" {
			t.Errorf("answers %q, %q", a, b)
		}
		h.close()
	})
}

// TestHostCallEnds: no call lasts for ever, whatever the host does.
func TestHostCallEnds(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		host := &Host{calls: b.server.calls}
		start := time.Now()
		if _, err := host.Devices(b.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != hostCallTimeout {
			t.Errorf("before the stream is open: %v after %v", err, time.Since(start))
		}
		h := b.openHost()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, err := host.Devices(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without an answer: %v", err)
		}
		h.answer(h.call(), "too late") // is dropped

		go func() {
			call := h.call()
			h.stream.in <- &pluginv1.HostReply{Call: call.GetCall(), Error: pluginv1.NewError(syscall.EPERM)}
			h.call()
			h.abort()
		}()
		if _, err := host.Devices(b.Context()); !errors.Is(err, syscall.EPERM) {
			t.Errorf("with an error for an answer: %v", err)
		}
		if _, err := host.Devices(b.Context()); !errors.Is(err, errHostGone) {
			t.Errorf("when the stream ends: %v", err)
		}
		<-h.ended
		if _, err := host.Devices(b.Context()); !errors.Is(err, errHostGone) {
			t.Errorf("after the stream: %v", err)
		}
	})
}

// TestHostBehind: those who wait for their turn to send can give up.
func TestHostBehind(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		h := b.openHost()
		h.stream.out = make(chan *pluginv1.HostCall) // nobody reads
		host := &Host{calls: b.server.calls}
		first := make(chan error, 1)
		go func() {
			_, err := host.Devices(context.Background())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, err := host.Devices(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second: %v", err)
		}
		h.abort()
		if err := <-first; !errors.Is(err, errHostGone) {
			t.Errorf("first: %v", err)
		}
		<-h.ended
	})
}

func TestRoCEPorts(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		h := b.openHost()
		index := uint32(7)
		go func() {
			call := h.call()
			if call.GetListRocePorts().GetNetdevIndex() != index || call.Device != nil {
				t.Errorf("call %v", call)
			}
			h.stream.in <- &pluginv1.HostReply{Call: call.GetCall(), Reply: &pluginv1.HostReply_Ports{Ports: &pluginv1.PortList{Ports: []*pluginv1.PortRef{
				{Id: pluginv1.NewDeviceID(epoch, core.ID{Index: 1, Generation: 2}), Device: "rxe0", Port: 1, Netdev: "eth0", NetdevIndex: &index},
				{Port: 2},
			}}}}
		}()
		got, err := (&Host{calls: b.server.calls}).RoCEPorts(b.Context(), rdma.Known(index))
		want := []RoCEPort{{core.ID{Index: 1, Generation: 2}, "rxe0", 1, "eth0", rdma.Known(index)}, {Port: 2}}
		if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("ports %+v, %v; want %+v", got, err, want)
		}
		h.close()
	})
}

func TestOneHostStream(t *testing.T) {
	bubble(t, &funcClient{}, func(b *bed) {
		h := b.openHost()
		synctest.Wait()
		wantCode(t, "second stream", <-b.openHost().ended, codes.FailedPrecondition)
		h.close()
	})
}
