package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/output"
)

func eventList(items []journal.Event, warnings []rdma.Warning) output.Result[journal.Event] {
	return output.Result[journal.Event]{
		Kind: "EventList", Items: items, Warnings: warnings,
		Body: output.Rows(items, eventColumns),
		Name: func(e journal.Event) string { return cmp.Or(e.Device, e.Client, "-") },
	}
}

// eventColumns have widths of their own: the lines come one by one, and are to
// stand below each other all the same.
var eventColumns = []output.Column[journal.Event]{
	{Header: wide("TIME", 23), Cell: func(e journal.Event) string { return e.Time.Local().Format("2006-01-02 15:04:05.000") }},
	{Header: wide("EVENT", 19), Cell: func(e journal.Event) string { return wide(e.Kind, 19) }},
	{Header: wide("DEVICE", 12), Cell: func(e journal.Event) string { return wide(cmp.Or(e.Device, "-"), 12) }},
	{Header: wide("CLIENT", 8), Cell: func(e journal.Event) string { return wide(cmp.Or(e.Client, "-"), 8) }},
	{Header: wide("INDEX", 5), Cell: func(e journal.Event) string { return wide(cmp.Or(text(e.Index), "-"), 5) }, Wide: true},
	{Header: wide("GENERATION", 10), Cell: func(e journal.Event) string { return wide(generation(e), 10) }, Wide: true},
	{Header: wide("MS", 9), Cell: func(e journal.Event) string { return wide(cmp.Or(tookText(e.TookMS), "-"), 9) }},
	{Header: "DETAILS", Cell: eventDetails},
}

func wide(text string, width int) string { return fmt.Sprintf("%-*s", width, text) }

func generation(e journal.Event) string {
	if e.Generation == 0 {
		return "-"
	}
	return strconv.FormatUint(e.Generation, 10)
}

func tookText(o rdma.Opt[float64]) string {
	if v, ok := o.Get(); ok {
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return ""
}

// eventDetails is what an event says beyond its columns.
func eventDetails(e journal.Event) string {
	var parts []string
	add := func(label, text string) {
		if text != "" {
			parts = append(parts, strings.TrimSpace(label+" "+text))
		}
	}
	add("was", e.OldName)
	for _, d := range e.Differences {
		add("", d.String())
	}
	if len(e.Differences) == 0 {
		add("", strings.Join(e.Changes, ","))
	}
	add("waiting for", strings.Join(e.Holders, ", "))
	if e.PID != 0 {
		add("pid", strconv.Itoa(e.PID))
	}
	add("", e.Report)
	add("", e.Text)
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		parts = append(parts, name+"="+e.Attributes[name])
	}
	add("error:", e.Error)
	return strings.Join(parts, "; ")
}
