package apiv1

import (
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/journal"
)

// NewEvent writes an event down.
func NewEvent(e journal.Event) *Event {
	out := &Event{
		Seq:          e.Seq,
		TimeUnixNano: e.Time.UnixNano(),
		Kind:         e.Kind,
		Device:       e.Device,
		Index:        pointer(e.Index),
		Generation:   e.Generation,
		OldName:      e.OldName,
		Client:       e.Client,
		Pid:          uint32(e.PID),
		TookMs:       pointer(e.TookMS),
		Changes:      e.Changes,
		Holders:      e.Holders,
		Report:       e.Report,
		Text:         e.Text,
		Attributes:   e.Attributes,
		Error:        e.Error,
	}
	for _, d := range e.Differences {
		out.Differences = append(out.Differences, &Difference{Port: d.Port, Field: d.Field, OldValue: d.Old, NewValue: d.New})
	}
	return out
}

// Journal reads an event.
func (x *Event) Journal() journal.Event {
	out := journal.Event{
		Seq:        x.GetSeq(),
		Time:       time.Unix(0, x.GetTimeUnixNano()),
		Kind:       x.GetKind(),
		Device:     x.GetDevice(),
		Index:      opt(x.Index),
		Generation: x.GetGeneration(),
		OldName:    x.GetOldName(),
		Client:     x.GetClient(),
		PID:        int(x.GetPid()),
		TookMS:     opt(x.TookMs),
		Changes:    x.GetChanges(),
		Holders:    x.GetHolders(),
		Report:     x.GetReport(),
		Text:       x.GetText(),
		Attributes: x.GetAttributes(),
		Error:      x.GetError(),
	}
	for _, d := range x.GetDifferences() {
		out.Differences = append(out.Differences, journal.Difference{Port: d.GetPort(), Field: d.GetField(), Old: d.GetOldValue(), New: d.GetNewValue()})
	}
	return out
}

// pointer and opt translate between the two ways of saying "unknown".
func pointer[T any](o rdma.Opt[T]) *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

func opt[T any](p *T) rdma.Opt[T] {
	if p == nil {
		return rdma.Opt[T]{}
	}
	return rdma.Known(*p)
}
