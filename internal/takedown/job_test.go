package takedown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/journal"
)

// record is a Service that notes what happens to devices.
type record struct {
	events []string
	clean  func(d string) error // instead of taking clients off
}

func (r *record) Drain(ctx context.Context, d rdma.Device, do func(context.Context, Session) Verdict) error {
	if r.clean != nil {
		if err := r.clean(d.Name); err != nil {
			return err
		}
	}
	r.add("drain " + d.Name)
	v := do(ctx, Session{Clients: []string{"cm", "roce"}, Note: func(e journal.Event) { r.add(e.Kind) }})
	switch {
	case v.Failed != nil:
		r.add("back " + d.Name)
	case v.Keep:
		r.add("keep " + d.Name)
	default:
		r.add("out " + d.Name)
	}
	return nil
}

func (r *record) add(what string) { r.events = append(r.events, what) }

// looks answers each look with the next list, and the last one again and again.
func (r *record) looks(lists ...[]holders.Holder) func(context.Context) ([]holders.Report, []rdma.Warning, error) {
	n := 0
	return func(context.Context) ([]holders.Report, []rdma.Warning, error) {
		r.add("look")
		list := lists[min(n, len(lists)-1)]
		n++
		return []holders.Report{{Device: rdma.Device{Name: "rxe0"}, Holders: list}}, nil, nil
	}
}

var (
	blocking = holders.Holder{Device: "rxe0", Kind: holders.KindProcess, Name: "ib_write_bw", Effect: holders.Blocks, Waits: true, Reason: "r"}
	cutOff   = holders.Holder{Device: "rxe0", Kind: holders.KindKernel, Name: "ib_ipoib", Effect: holders.CutOff, Reason: "r"}
	told     = holders.Holder{Device: "rxe0", Kind: holders.KindProcess, Name: "ibctl-cm", Effect: holders.Told, Reason: "r"}
	client   = holders.Holder{Device: "rxe0", Kind: holders.KindClient, Name: "cm", Effect: holders.Told, Reason: "r"}
)

func TestJobRefuses(t *testing.T) {
	for _, tt := range []struct {
		holder holders.Holder
		cutOff bool
		want   string // of the error
	}{
		{blocking, false, "rxe0: ib_write_bw would block a removal: r"},
		{blocking, true, "rxe0: ib_write_bw would block a removal: r"},
		{cutOff, false, "rxe0: the kernel's ib_ipoib would be cut off: r"},
		{cutOff, true, ""},
		{told, false, ""},
		{client, false, ""},
	} {
		r := &record{}
		j := &Job{Devices: []rdma.Device{{Name: "rxe0"}}, Service: r, Look: r.looks([]holders.Holder{tt.holder}), CutOff: tt.cutOff, Keep: true}
		err := j.Run(t.Context())
		if got := fmt.Sprint(err); tt.want == "" && err != nil || tt.want != "" && (got != tt.want || !errors.Is(err, syscall.EBUSY)) {
			t.Errorf("%s, cut off %v: %v, want %q", tt.holder.Name, tt.cutOff, err, tt.want)
		}
		if want := []string{"look"}; err != nil && !slices.Equal(r.events, want) {
			t.Errorf("%s: refused after %q", tt.holder.Name, r.events)
		}
	}
}

// TestJobOrder: sub-devices go first, and come back last.
func TestJobOrder(t *testing.T) {
	r := &record{}
	j := &Job{Devices: []rdma.Device{{Name: "smi0"}, {Name: "rxe0"}}, Service: r, Look: r.looks(nil), Keep: true}
	if err := j.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(r.events, ", "), "look, drain smi0, drain rxe0, look, look, keep rxe0, keep smi0"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// TestJobNewcomer: a holder that comes while clients let go is named, and all is as
// before.
func TestJobNewcomer(t *testing.T) {
	for _, when := range [][][]holders.Holder{{nil, {blocking}}, {nil, nil, {blocking}}} {
		r := &record{}
		j := &Job{Devices: []rdma.Device{{Name: "smi0"}, {Name: "rxe0"}}, Service: r, Look: r.looks(when...), Keep: true}
		err := j.Run(t.Context())
		if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "ib_write_bw") || !strings.Contains(err.Error(), "it came meanwhile") {
			t.Errorf("Run: %v", err)
		}
		if got, want := strings.Join(r.events[len(r.events)-3:], ", "), EventBlocked+", back rxe0, back smi0"; got != want {
			t.Errorf("%q; want %s in the end", r.events, want)
		}
	}
}

// TestJobServiceFails: a device that cannot be drained brings back those that were.
func TestJobServiceFails(t *testing.T) {
	r := &record{clean: func(d string) error {
		if d == "rxe0" {
			return context.DeadlineExceeded
		}
		return nil
	}}
	j := &Job{Devices: []rdma.Device{{Name: "smi0"}, {Name: "rxe0"}}, Service: r, Look: r.looks(nil), Keep: true}
	if err := j.Run(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
	if got, want := strings.Join(r.events, ", "), "look, drain smi0, back smi0"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

func TestPlan(t *testing.T) {
	actions := func(j *Job) (all []string) {
		for _, s := range j.Steps {
			if s.Done {
				t.Errorf("done: %+v", s)
			}
			all = append(all, string(s.Action))
		}
		return all
	}
	roce := client
	roce.Name = "roce"
	list := []holders.Holder{blocking, cutOff, told, roce, client}
	for _, tt := range []struct {
		job  Job
		fail bool
		want string
	}{
		{Job{Keep: true}, false, "refuse refuse leave"},
		{Job{CutOff: true}, false, "refuse cut_off leave"},
		{Job{CutOff: true, Eviction: Terminate}, true, "evict cut_off leave take_off take_off look_again operate"}, // it has no pid
	} {
		r := &record{}
		j := tt.job
		j.Devices, j.Service, j.Look = []rdma.Device{{Name: "rxe0"}}, r, r.looks(list)
		if !j.Keep {
			j.Operation = &Operation{Kind: DeleteLink, Device: "rxe0"}
		}
		if err := j.Plan(t.Context()); (err != nil) != tt.fail {
			t.Errorf("Plan: %v", err)
		}
		if got := strings.Join(actions(&j), " "); got != tt.want {
			t.Errorf("steps %s, want %s", got, tt.want)
		}
		if !slices.Equal(r.events, []string{"look"}) {
			t.Errorf("a plan did %q", r.events)
		}
	}
}
