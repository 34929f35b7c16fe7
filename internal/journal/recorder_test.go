package journal

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"sync"
	"testing"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// refusing is a client whose Add fails.
type refusing struct{}

func (refusing) Name() string { return "refusing" }

func (refusing) Add(context.Context, core.Device) (any, error) {
	return nil, errors.New("not this one")
}

func (refusing) Remove(context.Context, core.Device, any) error { return nil }

// record runs f with a registry and returns what a recorder made of it.
func record(t *testing.T, opts core.Options, f func(*core.Registry)) []Event {
	t.Helper()
	reg, j := core.NewRegistry(opts), New(1000)
	r := NewRecorder(reg, j)
	f(reg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ctx)
	j.Close()
	var list []Event
	for reader := j.Replay(); ; {
		e, err := reader.NextKept()
		if errors.Is(err, io.EOF) {
			return list
		}
		list = append(list, e)
	}
}

func device(index uint32, netdev string) rdma.Device {
	return rdma.Device{Name: "rxe0", Index: rdma.Known(index), Ports: []rdma.Port{{Number: 1, Netdev: netdev}}}
}

func TestRecorder(t *testing.T) {
	events := record(t, core.Options{}, func(reg *core.Registry) {
		if err := reg.RegisterClient(t.Context(), refusing{}); err != nil {
			t.Fatal(err)
		}
		id, err := reg.RegisterDevice(t.Context(), device(7, "eth0"))
		if err != nil {
			t.Fatal(err)
		}
		if err := reg.Rename(t.Context(), id, "rxe1"); err != nil {
			t.Fatal(err)
		}
		if err := reg.Notify(t.Context(), id, core.ChangeGIDs); err != nil {
			t.Fatal(err)
		}
		if err := reg.UnregisterDevice(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	})
	want := []Event{
		{Kind: "client-arrived", Client: "refusing"},
		{Kind: "client-registered", Client: "refusing"},
		{Kind: "device-arrived", Device: "rxe0"},
		{Kind: "client-added", Device: "rxe0", Client: "refusing", Error: "not this one"},
		{Kind: "device-registered", Device: "rxe0"},
		{Kind: "device-renamed", Device: "rxe1", OldName: "rxe0"},
		{Kind: "device-changed", Device: "rxe1", Changes: []string{"gids"}},
		{Kind: "device-leaving", Device: "rxe1"},
		{Kind: "device-unregistered", Device: "rxe1"},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(events), len(want), events)
	}
	for i, e := range events {
		w := want[i]
		if w.Device != "" {
			w.Index, w.Generation = rdma.Known(uint32(7)), 1
		}
		w.Seq, w.Time, w.TookMS = uint64(i+1), e.Time, e.TookMS
		if !reflect.DeepEqual(e, w) {
			t.Errorf("event %d: %+v\nwant %+v", i, e, w)
		}
		if e.Time.IsZero() {
			t.Errorf("event %d has no time", i)
		}
	}
}

func TestRecorderSaysWhatDiffers(t *testing.T) {
	reg, j := core.NewRegistry(core.Options{}), New(100)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { NewRecorder(reg, j).Run(ctx) })
	read := j.Replay()
	id, err := reg.RegisterDevice(t.Context(), device(0, "eth0"))
	if err != nil {
		t.Fatal(err)
	}
	next(t, read, core.DeviceRegistered) // the first picture is taken
	if err := reg.Update(t.Context(), id, device(0, "eth1")); err != nil {
		t.Fatal(err)
	}
	e := next(t, read, core.DeviceChanged)
	want := []Difference{{Port: 1, Field: "netdev", Old: json.RawMessage(`"eth0"`), New: json.RawMessage(`"eth1"`)}}
	if !reflect.DeepEqual(e.Differences, want) {
		t.Errorf("differences %+v, want %+v", e.Differences, want)
	}
	cancel()
	running.Wait()
}

func next(t *testing.T, r *Reader, kind core.EventKind) Event {
	t.Helper()
	for {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == string(kind) {
			return e
		}
	}
}

func TestRecorderSaysWhatItMissed(t *testing.T) {
	events := record(t, core.Options{EventLog: 2}, func(reg *core.Registry) {
		for range 3 {
			id, err := reg.RegisterDevice(t.Context(), device(0, "eth0"))
			if err != nil {
				t.Fatal(err)
			}
			if err := reg.UnregisterDevice(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(events) != 3 || events[0].Kind != EventsMissed || events[0].Text != "missed 10 events" {
		t.Errorf("events %+v", events)
	}
}

func TestDifferences(t *testing.T) {
	port := func(n uint32, state rdma.Opt[rdma.PortState]) rdma.Port { return rdma.Port{Number: n, State: state} }
	before := rdma.Device{Name: "a", Firmware: "1", Ports: []rdma.Port{port(1, rdma.Known(rdma.PortActive)), port(2, rdma.Opt[rdma.PortState]{})}}
	after := rdma.Device{Name: "a", Ports: []rdma.Port{port(1, rdma.Known(rdma.PortDown)), port(3, rdma.Known(rdma.PortActive))}}
	var got []string
	for _, d := range Differences(before, after) {
		got = append(got, d.String())
	}
	want := []string{"fw: 1 → unknown", "port 1 state: ACTIVE → DOWN", "port 3 state: unknown → ACTIVE"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if same := Differences(before, before); same != nil {
		t.Errorf("nothing differs, and yet %v", same)
	}
}
