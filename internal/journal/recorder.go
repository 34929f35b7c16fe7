package journal

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
)

// Recorder copies a registry's events into a journal.
type Recorder struct {
	registry *core.Registry
	journal  *Journal
	events   *core.Subscription
	// known are the devices as they were last seen; it belongs to Run.
	known map[core.ID]rdma.Device
}

// NewRecorder returns a Recorder of everything that happens in a registry from
// its beginning.
func NewRecorder(reg *core.Registry, j *Journal) *Recorder {
	return &Recorder{registry: reg, journal: j, events: reg.Replay(), known: map[core.ID]rdma.Device{}}
}

// Run records until ctx ends; what has happened by then is recorded to the last
// event. It is called once.
func (r *Recorder) Run(ctx context.Context) {
	for {
		ev, err := r.events.Next(ctx)
		if missed, ok := errors.AsType[*core.MissedError](err); ok {
			r.journal.Append(Event{Kind: EventsMissed, Text: missed.Error()})
			r.takeStock()
			continue
		}
		if err != nil {
			return
		}
		r.journal.Append(r.event(ev))
	}
}

// takeStock forgets devices whose end was missed.
func (r *Recorder) takeStock() {
	clear(r.known)
	for _, d := range r.registry.Devices() {
		r.known[d.ID] = d.Info
	}
}

// event says in the journal's words what the registry says.
func (r *Recorder) event(ev core.Event) Event {
	e := Event{
		Time:    ev.Time,
		Kind:    string(ev.Kind),
		Device:  ev.Name,
		OldName: ev.OldName,
		Client:  ev.Client,
		Holders: ev.Holders,
	}
	e.SetDevice(ev.Device)
	if ev.Took > 0 {
		e.TookMS = rdma.Known(float64(ev.Took) / float64(time.Millisecond))
	}
	if ev.Change != 0 {
		e.Changes = strings.Split(ev.Change.String(), ",")
	}
	if ev.Err != nil {
		e.Error = ev.Err.Error()
	}
	e.Differences = r.differences(ev)
	return e
}

// differences keeps track of the devices and says what is new about one that has
// changed. It looks at the device as it is now, so of several changes in a row
// the first may tell what belongs to the next.
func (r *Recorder) differences(ev core.Event) []Difference {
	switch ev.Kind {
	case core.DeviceArrived, core.DeviceRenamed, core.DeviceChanged:
	case core.DeviceUnregistered:
		delete(r.known, ev.Device)
		return nil
	default:
		return nil
	}
	now, err := r.registry.Lookup(ev.Device)
	if err != nil {
		return nil // it is leaving
	}
	before, seen := r.known[ev.Device]
	r.known[ev.Device] = now.Info
	if !seen || ev.Kind == core.DeviceRenamed {
		return nil
	}
	return Differences(before, now.Info)
}
