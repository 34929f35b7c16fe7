package supervisor

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// TestFlush is the deadlock of 2015, end to end: the registry unregisters a
// device, its client's Remove flushes a worker, and the worker enumerates the
// registry's devices.
func TestFlush(t *testing.T) {
	reg := core.NewRegistry(core.Options{})
	b := newBench(t, Config{Devices: func(context.Context) ([]core.Device, error) { return reg.Devices(), nil }})
	p := b.start(b.builtin("flusher"))
	if err := reg.RegisterClient(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	within(t, "the flush", func() {
		for i := range uint32(20) {
			id, err := reg.RegisterDevice(t.Context(), device(i, 0).Info)
			if err != nil {
				t.Error(err)
			}
			if err := reg.UnregisterDevice(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if err := reg.UnregisterClient(t.Context(), p.Name()); err != nil {
			t.Error(err)
		}
	})
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

func TestHostCalls(t *testing.T) {
	all := []core.Device{device(1, 1), device(2, 2), device(3, 3)}
	b := newBench(t, Config{Devices: func(context.Context) ([]core.Device, error) { return all, nil }})
	p := b.start(b.builtin("caller"))
	if _, err := p.Add(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	b.heard("counted 3")
	if err := p.Remove(t.Context(), all[0], nil); err != nil {
		t.Error(err)
	}
	b.heard("counted 3")
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestHostCallFails: the host's failure is the plugin's to deal with. This one
// fails its Add, and then, which is the end of it, its Remove.
func TestHostCallFails(t *testing.T) {
	fail := make(chan error, 1)
	b := newBench(t, Config{Devices: func(context.Context) ([]core.Device, error) { return nil, <-fail }})
	p := b.start(b.builtin("caller"))
	fail <- syscall.ENODEV
	if _, err := p.Add(t.Context(), device(1, 1)); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("add: %v", err)
	}
	fail <- nil
	if _, err := p.Add(t.Context(), device(1, 2)); err != nil {
		t.Errorf("add: %v", err)
	}
	fail <- syscall.ENODEV
	if err := p.Remove(t.Context(), device(1, 2), nil); !errors.Is(err, syscall.ENODEV) || !errors.Is(err, ErrBroken) {
		t.Errorf("remove: %v", err)
	}
	_ = b.stop(p)
}

// TestHostCallSlow: Remove returns only when nothing works on its device's behalf
// any more, on our side either.
func TestHostCallSlow(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	working := make(chan struct{})
	b := newBench(t, Config{Devices: func(context.Context) ([]core.Device, error) {
		close(entered)
		<-leave
		close(working)
		return nil, nil
	}})
	p := b.start(b.builtin("caller"))
	added := make(chan error, 1)
	go func() {
		_, err := p.Add(context.Background(), device(1, 1))
		added <- err
	}()
	<-entered
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	select {
	case err := <-added:
		t.Errorf("add returned while the host works for it: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-added; !errors.Is(err, ErrExited) {
		t.Errorf("add: %v", err)
	}
	<-working
	_ = b.stop(p)
}

// TestHostCallOfTheRemoved: a call in the name of a device that is not attached,
// or of another epoch, is refused without being worked on.
func TestHostCallOfTheRemoved(t *testing.T) {
	b := newBench(t, Config{Devices: func(context.Context) ([]core.Device, error) {
		t.Error("worked on")
		return nil, nil
	}})
	p := b.start(b.builtin("good"))
	if _, err := p.Add(t.Context(), device(1, 2)); err != nil {
		t.Fatal(err)
	}
	h := &hostServer{p: p}
	for _, id := range []*pluginv1.DeviceID{
		p.DeviceID(core.ID{Index: 1, Generation: 1}),
		p.DeviceID(core.ID{Index: 2, Generation: 2}),
		{Epoch: p.sup.epoch + 1, Index: 1, Generation: 2},
	} {
		_, err := h.work(t.Context(), &pluginv1.HostCall{
			Device:  id,
			Request: &pluginv1.HostCall_ListDevices{ListDevices: &pluginv1.ListDevices{}},
		})
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%v: %v", id, err)
		}
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}

// TestQuestions: a client's own services answer for attached devices only, and a
// question under way ends when its device leaves, before Remove does.
func TestQuestions(t *testing.T) {
	b := newBench(t, Config{})
	p := b.start(b.builtin("asked"))
	plain, waiting := device(1, 1), device(2, 2)
	waiting.Info.Name = "wait0"
	for _, d := range []core.Device{plain, waiting} {
		if _, err := p.Add(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(id *pluginv1.DeviceID) (string, error) {
		name := new(wrapperspb.StringValue)
		err := p.Conn().Invoke(context.Background(), askMethod, id, name)
		return name.GetValue(), err
	}
	if name, err := ask(p.DeviceID(plain.ID)); err != nil || name != plain.Info.Name {
		t.Errorf("answer %q, %v", name, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := ask(p.DeviceID(waiting.ID))
		ended <- err
	}()
	b.heard("asked")
	if err := p.Remove(t.Context(), waiting, nil); err != nil {
		t.Error(err)
	}
	if err := <-ended; status.Code(err) != codes.FailedPrecondition {
		t.Errorf("question about a leaving device: %v", err)
	}
	refusals := []struct {
		id   *pluginv1.DeviceID
		want codes.Code
	}{
		{p.DeviceID(waiting.ID), codes.FailedPrecondition},
		{p.DeviceID(core.ID{Index: 1, Generation: 0}), codes.FailedPrecondition},
		{p.DeviceID(core.ID{Index: 9, Generation: 9}), codes.NotFound},
		{&pluginv1.DeviceID{Epoch: 1, Index: 1, Generation: 1}, codes.FailedPrecondition},
	}
	for _, tt := range refusals {
		if _, err := ask(tt.id); status.Code(err) != tt.want {
			t.Errorf("%v: %v, want %v", tt.id, err, tt.want)
		}
	}
	if err := b.stop(p); err != nil {
		t.Error(err)
	}
}
