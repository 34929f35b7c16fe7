package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/libenv"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// gidResolution is the item of a GIDResolution document.
type gidResolution struct {
	Question string `json:"question"`
	// Chosen is nil, and Problem says why, where nothing fits.
	Chosen   *gidChoice     `json:"chosen,omitempty"`
	Problem  string         `json:"problem,omitzero"`
	Netdev   string         `json:"route_netdev,omitzero"`
	Source   string         `json:"src_addr,omitzero"`
	Gateway  string         `json:"gateway,omitzero"`
	Route    string         `json:"route,omitzero"`
	Rule     string         `json:"rule,omitzero"`
	Rejected []gidRejection `json:"rejected"`
}

// gidChoice is the GID to use.
type gidChoice struct {
	rdma.GIDEntry
	NetdevMTU rdma.Opt[uint32] `json:"netdev_mtu,omitzero"`
	PathMTU   rdma.Opt[uint32] `json:"path_mtu,omitzero"`
	Reason    string           `json:"reason"`
}

// gidRejection is a GID that is not the one.
type gidRejection struct {
	rdma.GIDEntry
	Reason string `json:"reason"`
}

func newGIDResolution(question string, a *rocev1.GIDResolution) (gidResolution, error) {
	source, _ := a.GetSource().Addr() // of our own client
	gateway, _ := a.GetGateway().Addr()
	r := gidResolution{
		Question: question, Problem: a.GetProblem(), Netdev: a.GetNetdev(),
		Route: a.GetRoute(), Rule: a.GetRule(), Rejected: []gidRejection{},
	}
	if source.IsValid() {
		r.Source = named(source).String()
	}
	if gateway.IsValid() {
		r.Gateway = named(gateway).String()
	}
	for _, c := range a.GetCandidates() {
		e, err := c.GetGid().Entry(c.GetDevice(), c.GetPort())
		if err != nil {
			return r, err
		}
		if c.GetChosen() {
			r.Chosen = &gidChoice{e, opt(c.NetdevMtu), opt(c.PathMtu), c.GetReason()}
		} else {
			r.Rejected = append(r.Rejected, gidRejection{e, c.GetReason()})
		}
	}
	return r, nil
}

func (r gidResolution) answered() bool { return r.Chosen != nil }

// name returns the GID as an argument of ibctl gid show. There must be one.
func (r gidResolution) name() string { return slotName(r.Chosen.GIDEntry) }

func slotName(e rdma.GIDEntry) string { return fmt.Sprintf("%s/%d/%d", e.Device, e.Port, e.Index) }

func gidResolutionRecords(items []gidResolution) []output.Record {
	var records []output.Record
	for _, r := range items {
		record := output.Record{Title: r.Question, Fields: r.fields()}
		if len(r.Rejected) > 0 {
			record.Parts = []output.Record{{Title: "rejected", Fields: rejectedFields(r.Rejected)}}
		}
		records = append(records, record)
	}
	return records
}

func (r gidResolution) fields() []output.Field {
	var fields []output.Field
	if c := r.Chosen; c != nil {
		fields = []output.Field{
			{Label: "device", Value: c.Device},
			{Label: "port", Value: number(c.Port)},
			{Label: "GID index", Value: number(c.Index)},
			{Label: "GID", Value: c.GID.String()},
			{Label: "address", Value: c.GID.Addr().String()},
			{Label: "type", Value: string(c.Type)},
			{Label: "netdev", Value: c.Netdev},
			{Label: "netdev MTU", Value: text(c.NetdevMTU)},
			{Label: "path MTU", Value: text(c.PathMTU)},
			{Label: "because", Value: c.Reason},
		}
	}
	return append(fields,
		output.Field{Label: "none fits", Value: r.Problem},
		output.Field{Label: "source", Value: r.Source},
		output.Field{Label: "gateway", Value: r.Gateway},
		output.Field{Label: "decided by route", Value: r.Route},
		output.Field{Label: "found by rule", Value: r.Rule},
	)
}

func rejectedFields(list []gidRejection) []output.Field {
	var fields []output.Field
	for _, r := range list {
		words := []string{r.GID.Addr().String(), typeWord(r.Type), cmp.Or(r.Netdev, "-")}
		fields = append(fields, output.Field{Label: slotName(r.GIDEntry), Value: strings.Join(words, " ") + ": " + r.Reason})
	}
	return fields
}

// typeWord is a type in short, whatever the port.
func typeWord(t rdma.GIDType) string {
	switch t {
	case rdma.GIDTypeRoCEv2:
		return "v2"
	case rdma.GIDTypeIBOrRoCEv1:
		return "v1"
	}
	return cmp.Or(string(t), "-")
}

// setting is the item of a LibrarySettings document.
type setting struct {
	For string `json:"for"`
	libenv.Line
}

// printSettings prints what makes a library use what was chosen. It is all of it
// or nothing.
func (inv *invocation) printSettings(library string, a gidAnswers, ports []libenv.Port) error {
	if len(a.problems) > 0 {
		inv.printer().Warn(a.warnings...)
		inv.hint("without --for, ibctl gid resolve says why of each GID")
		return a.problems
	}
	choices, err := a.choices(ports)
	if err != nil {
		return err
	}
	var items []setting
	for _, line := range libenv.Lines(library, choices) {
		items = append(items, setting{library, line})
	}
	return output.Print(inv.printer(), output.Result[setting]{
		Kind: "LibrarySettings", Items: items, Warnings: append(inv.notes, a.warnings...),
		Body: output.Lines(settingLines(items)),
		Name: func(s setting) string { return cmp.Or(s.Name, "-") },
	})
}

// choices joins what was chosen with the ports that it is on.
func (a gidAnswers) choices(ports []libenv.Port) (all []libenv.Choice, err error) {
	for _, r := range a.items {
		if !r.answered() {
			continue
		}
		e := r.Chosen.GIDEntry
		of := func(c libenv.Choice) bool { return c.Port.Device == e.Device && c.Port.Number == e.Port }
		if i := slices.IndexFunc(all, of); i >= 0 && all[i].Entry != e {
			return nil, usagef("%s and %s are on one port, and libraries use one GID of a port", slotName(all[i].Entry), slotName(e))
		} else if i >= 0 {
			continue
		}
		i := slices.IndexFunc(ports, func(p libenv.Port) bool { return p.Device == e.Device && p.Number == e.Port })
		if i < 0 {
			return nil, &noGIDError{slotName(e), "the device has gone"}
		}
		all = append(all, libenv.Choice{Port: ports[i], Entry: e})
	}
	return all, nil
}

// settingLines are lines that a shell, env(1) or docker --env-file takes.
func settingLines(items []setting) []string {
	var lines []string
	for _, s := range items {
		if s.Comment != "" {
			lines = append(lines, "# "+s.Comment)
		}
		if s.Name != "" {
			lines = append(lines, s.Name+"="+s.Value)
		}
	}
	return lines
}
