package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

// Here is what old hands know: the output of other tools, for scripts that move
// over with one word changed. What those get wrong is not copied.

// legacyForms says which verbs know which of the older forms, and legacyKinds the
// kinds of their documents.
var legacyForms, legacyKinds = legacyOf([]legacyVerb{
	{"dev list", "DeviceList", []output.Format{output.RDMAJSON, output.IBDev2Netdev}},
	{"dev show", "DeviceList", []output.Format{output.RDMAJSON, output.IBDev2Netdev}},
	{"port list", "PortList", rdmaOnly}, {"port show", "PortList", rdmaOnly},
	{"gid show", "GIDList", []output.Format{output.ShowGIDs}},
	{"cm list", "CMIDList", rdmaOnly},
	{"res list", "ResourceCountList", rdmaOnly}, {"res qp", "QPList", rdmaOnly}, {"res cq", "CQList", rdmaOnly}, {"res mr", "MRList", rdmaOnly},
	{"res pd", "PDList", rdmaOnly}, {"res ctx", "ContextList", rdmaOnly}, {"res srq", "SRQList", rdmaOnly}, {"res cm-id", "ResourceCMIDList", rdmaOnly},
	{"stat show", "CounterList", rdmaOnly}, {"stat qp", "QPCounterList", rdmaOnly}, {"stat mr", "MRCounterList", rdmaOnly}, {"stat mode", "CounterModeList", rdmaOnly},
	{"system show", "SystemState", rdmaOnly},
	{"events", "EventList", rdmaOnly},
	{"batch", "", output.LegacyFormats()}, // of its lines
})

var rdmaOnly = []output.Format{output.RDMAJSON}

// legacyVerb is a verb that knows older forms.
type legacyVerb struct {
	verb, kind string
	forms      []output.Format
}

func legacyOf(verbs []legacyVerb) (forms, kinds map[string][]output.Format) {
	forms, kinds = map[string][]output.Format{}, map[string][]output.Format{}
	for _, v := range verbs {
		forms[v.verb], kinds[v.kind] = v.forms, v.forms
	}
	delete(kinds, "")
	return forms, kinds
}

// checkFormat refuses the form of an older tool for a verb that has none, before
// anything is done.
func (l line) checkFormat() error {
	f, verb := l.format(), strings.Join(l.path, " ")
	if !slices.Contains(output.LegacyFormats(), f) || slices.Contains(legacyForms[verb], f) {
		return nil
	}
	e := usagef("ibctl %s has no form -o %s", verb, f)
	for name, forms := range legacyForms {
		if slices.Contains(forms, f) && name != "batch" {
			e.candidates = append(e.candidates, fmt.Sprintf("ibctl %s -o %s", name, f))
		}
	}
	slices.Sort(e.candidates)
	return e
}

// ibdev2netdev shows which netdev is behind which port. A port is up if it is
// active; ports without a netdev are left out, those of other makers are not.
func ibdev2netdev(devices []rdma.Device) (lines []string) {
	for _, r := range portRows(devices) {
		if r.port.Netdev == "" {
			continue
		}
		state := "Down"
		if r.port.State == rdma.Known(rdma.PortActive) {
			state = "Up"
		}
		lines = append(lines, fmt.Sprintf("%s port %d ==> %s (%s)", output.Text(r.dev.Name), r.port.Number, output.Text(r.port.Netdev), state))
	}
	return lines
}

// showGIDs is show_gids, with indices in the order of their numbers.
func showGIDs(items []gidItem) []string {
	lines := []string{
		"DEV\tPORT\tINDEX\tGID\t\t\t\t\tIPv4  \t\tVER\tDEV",
		"---\t----\t-----\t---\t\t\t\t\t------------  \t---\t---",
	}
	for _, i := range items {
		address := "\t" // the width of an address
		if ip, ok := i.IPv4.Get(); ok {
			address = ip.String() + "  "
		}
		lines = append(lines, fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s\t%s",
			output.Text(i.Device), i.Port, i.Index, i.GID, address, gidVersion(i.Type), output.Text(i.Netdev)))
	}
	return append(lines, fmt.Sprintf("n_gids_found=%d", len(items)))
}

// gidVersion is what show_gids takes from the kernel's text: v1 or v2, and for
// InfiniBand v1 too.
func gidVersion(t rdma.GIDType) string {
	_, version, _ := strings.Cut(string(t), " v")
	if version == "" {
		return ""
	}
	return "v" + output.Text(version)
}
