package main

import (
	"context"
	"log/slog"

	"github.com/ibctl/ibctl/core"
)

// trace logs what the registry did from first to last.
func trace(log *slog.Logger, registry *core.Registry) {
	ended, end := context.WithCancel(context.Background())
	end() // Next returns what there is, and does not wait for more
	for events := registry.Replay(); ; {
		ev, err := events.Next(ended)
		if err != nil {
			return
		}
		record := slog.NewRecord(ev.Time, slog.LevelDebug, string(ev.Kind), 0)
		record.Add(traceAttrs(ev)...)
		log.Handler().Handle(ended, record) //nolint:errcheck // standard error has nobody to tell
	}
}

// traceAttrs lists what an event says beyond its kind.
func traceAttrs(ev core.Event) []any {
	var attrs []any
	if ev.Name != "" {
		attrs = append(attrs, "device", ev.Name, "id", ev.Device)
	}
	if ev.Client != "" {
		attrs = append(attrs, "client", ev.Client)
	}
	if ev.Took > 0 {
		attrs = append(attrs, "took", ev.Took)
	}
	if ev.Err != nil {
		attrs = append(attrs, "error", ev.Err)
	}
	return attrs
}
