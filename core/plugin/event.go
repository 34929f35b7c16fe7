package plugin

import (
	"time"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// Event is something that a client did to a device or saw of it, for people to
// read in ibctl events.
type Event struct {
	// Kind is a short name in the client's own vocabulary, such as "gid-added".
	Kind string
	Text string
	// Attributes are details for scripts. May be nil.
	Attributes map[string]string
	// Time is when it happened; the zero Time is taken as now.
	Time time.Time
}

func (e Event) wire() *pluginv1.Event {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	return &pluginv1.Event{Kind: e.Kind, Text: e.Text, Attributes: e.Attributes, TimeUnixNano: e.Time.UnixNano()}
}

// EventFrom reads an event off the wire.
func EventFrom(x *pluginv1.Event) Event {
	return Event{
		Kind:       x.GetKind(),
		Text:       x.GetText(),
		Attributes: x.GetAttributes(),
		Time:       time.Unix(0, x.GetTimeUnixNano()),
	}
}
