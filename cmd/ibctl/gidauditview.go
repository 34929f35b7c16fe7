package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// gidAudit is the item of a GIDAudit document: a port.
type gidAudit struct {
	Device string `json:"device"`
	Port   uint32 `json:"port"`
	// Netdev is behind the port.
	Netdev string         `json:"netdev,omitzero"`
	Types  []rdma.GIDType `json:"types"`
	// Slots is the size of the table, Used how many are in use, Expected how many
	// would be.
	Slots    uint32       `json:"slots"`
	Used     uint32       `json:"used"`
	Expected uint32       `json:"expected"`
	Status   string       `json:"status"`
	Findings []gidFinding `json:"findings"`
}

// gidFinding is one thing that is wrong with a port.
type gidFinding struct {
	Finding     string               `json:"finding"`
	Severity    string               `json:"severity"`
	GID         rdma.Opt[rdma.GID]   `json:"gid,omitzero"`
	IPv4        rdma.Opt[netip.Addr] `json:"ipv4,omitzero"`
	Type        rdma.GIDType         `json:"type,omitzero"`
	Netdev      string               `json:"netdev,omitzero"`
	Index       rdma.Opt[uint32]     `json:"index,omitzero"`
	Cause       string               `json:"cause,omitzero"`
	Evidence    []string             `json:"evidence"`
	Consequence string               `json:"consequence,omitzero"`
	Mend        []string             `json:"mend"`
	Chain       []string             `json:"chain"`
	With        []string             `json:"with"`
}

func newGIDAudit(p *rocev1.PortAudit) gidAudit {
	out := gidAudit{
		Device: p.GetDevice(), Port: p.GetPort(), Netdev: p.GetNetdev(), Types: []rdma.GIDType{},
		Slots: p.GetSlots(), Used: p.GetUsed(), Expected: p.GetExpected(), Status: p.GetSeverity(), Findings: []gidFinding{},
	}
	for _, t := range p.GetTypes() {
		out.Types = append(out.Types, rdma.GIDType(t))
	}
	for _, f := range p.GetFindings() {
		out.Findings = append(out.Findings, newGIDFinding(f))
	}
	return out
}

func newGIDFinding(f *rocev1.Finding) gidFinding {
	out := gidFinding{
		Finding: f.GetKind(), Severity: f.GetSeverity(), GID: rocev1.RDMAGID(f.GetGid()), Type: rdma.GIDType(f.GetType()),
		Netdev: f.GetNetdev(), Cause: f.GetCause(), Evidence: list(f.GetEvidence()), Consequence: f.GetConsequence(),
		Mend: list(f.GetMend()), Chain: list(f.GetChain()), With: list(f.GetWith()),
	}
	if f.Index != nil {
		out.Index = rdma.Known(f.GetIndex())
	}
	out.IPv4 = ipv4Of(out.GID)
	return out
}

// ipv4Of returns the IPv4 address that is mapped into a GID, if there is one.
func ipv4Of(gid rdma.Opt[rdma.GID]) rdma.Opt[netip.Addr] {
	if g, ok := gid.Get(); ok {
		if ip, ok := g.IPv4(); ok {
			return rdma.Known(ip)
		}
	}
	return rdma.Opt[netip.Addr]{}
}

// list makes an empty list of none, for JSON.
func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

func (a gidAudit) name() string { return fmt.Sprintf("%s/%d", a.Device, a.Port) }

// auditBody shows a line for each port, and below that what was found.
func auditBody(items []gidAudit) output.Body {
	var records []output.Record
	for _, item := range items {
		for _, f := range item.Findings {
			records = append(records, f.record(item.name()))
		}
	}
	return output.Stack(output.Rows(items, gidAuditColumns), output.Records(records))
}

var gidAuditColumns = []output.Column[gidAudit]{
	{Header: "PORT", Cell: gidAudit.name},
	{Header: "NETDEV", Cell: func(a gidAudit) string { return a.Netdev }},
	{Header: "STATUS", Cell: func(a gidAudit) string { return a.Status }},
	{Header: "USED", Cell: func(a gidAudit) string { return strconv.FormatUint(uint64(a.Used), 10) }, Right: true},
	{Header: "EXPECTED", Cell: func(a gidAudit) string { return strconv.FormatUint(uint64(a.Expected), 10) }, Right: true},
	{Header: "SLOTS", Cell: func(a gidAudit) string { return strconv.FormatUint(uint64(a.Slots), 10) }, Right: true},
	{Header: "FINDINGS", Cell: gidAudit.summary},
}

// summary counts the findings by their kinds: "2 missing, 1 stale".
func (a gidAudit) summary() string {
	var kinds []string
	count := map[string]int{}
	for _, f := range a.Findings {
		if count[f.Finding] == 0 {
			kinds = append(kinds, f.Finding)
		}
		count[f.Finding]++
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", count[kind], strings.ReplaceAll(kind, "_", " "))
	}
	return strings.Join(kinds, ", ")
}

// record shows a finding in full.
func (f gidFinding) record(port string) output.Record {
	r := output.Record{Title: fmt.Sprintf("%s: %s: %s", port, f.Severity, f.title())}
	r.Fields = append(r.Fields, output.Field{Label: "cause", Value: strings.ReplaceAll(f.Cause, "_", " ")})
	r.Fields = append(r.Fields, lines("seen", f.Evidence)...)
	r.Fields = append(r.Fields, output.Field{Label: "consequence", Value: f.Consequence})
	r.Fields = append(r.Fields, lines("mend", f.Mend)...)
	r.Fields = append(r.Fields,
		output.Field{Label: "chain", Value: strings.Join(f.Chain, " < ")},
		output.Field{Label: "with", Value: strings.Join(f.With, ", ")})
	return r
}

// title says in short what was found.
func (f gidFinding) title() string {
	words := strings.ReplaceAll(f.Finding, "_", " ")
	if gid, ok := f.GID.Get(); ok {
		words += " " + gid.Addr().String()
	}
	if f.Netdev != "" {
		words += " of " + f.Netdev
	}
	var where []string
	if f.Type != "" {
		where = append(where, string(f.Type))
	}
	if index, ok := f.Index.Get(); ok {
		where = append(where, fmt.Sprintf("index %d", index))
	}
	if len(where) > 0 {
		words += " (" + strings.Join(where, ", ") + ")"
	}
	return words
}

// lines are fields of which only the first has its label.
func lines(label string, texts []string) []output.Field {
	var fields []output.Field
	for _, text := range texts {
		fields = append(fields, output.Field{Label: label, Value: text})
		label = ""
	}
	return fields
}
