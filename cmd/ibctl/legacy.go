package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/output"
)

// Here is what old hands know: the output of other tools, for scripts that move
// over with one word changed. What those get wrong is not copied.

// legacyForms says which verbs know which of the older forms.
var legacyForms = map[string][]output.Format{
	"dev list":  {output.RDMAJSON, output.IBDev2Netdev},
	"dev show":  {output.RDMAJSON, output.IBDev2Netdev},
	"gid show":  {output.ShowGIDs},
	"cm list":   {output.RDMAJSON},
	"stat show": {output.RDMAJSON},
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
		if slices.Contains(forms, f) {
			e.candidates = append(e.candidates, fmt.Sprintf("ibctl %s -o %s", name, f))
		}
	}
	slices.Sort(e.candidates)
	return e
}

// rdmaDevices is rdma -j dev show.
func rdmaDevices(devices []rdma.Device) (objects []output.Object) {
	for _, d := range devices {
		var o output.Object
		addKnown(&o, "ifindex", d.Index)
		o.Add("ifname", d.Name)
		o.AddText("node_type", text(d.NodeType))
		o.AddText("protocol", string(d.Protocol))
		o.AddText("fw", d.Firmware)
		o.AddText("node_guid", text(d.NodeGUID))
		o.AddText("sys_image_guid", text(d.SysImageGUID))
		o.AddText("type", d.Type)
		o.AddText("parent", d.Parent)
		objects = append(objects, o)
	}
	return objects
}

// addKnown adds a member whose value is known.
func addKnown[T any](o *output.Object, key string, value rdma.Opt[T]) {
	if v, ok := value.Get(); ok {
		o.Add(key, v)
	}
}

// rdmaCMIDs is rdma -j resource show cm_id, whose pid is the number of a thread.
func rdmaCMIDs(ids []cmID) (objects []output.Object) {
	for _, id := range ids {
		var o output.Object
		addKnown(&o, "ifindex", id.index)
		o.Add("ifname", id.Device)
		addKnown(&o, "port", id.Port)
		addKnown(&o, "cm-idn", id.Number)
		addKnown(&o, "lqpn", id.QPN)
		o.AddText("qp-type", id.QPType)
		o.AddText("state", id.State)
		o.AddText("ps", id.PortSpace)
		addKnown(&o, "pid", id.TID)
		o.AddText("comm", id.Comm)
		o.AddText("src-addr", id.Source)
		o.AddText("dst-addr", id.Destination)
		objects = append(objects, o)
	}
	return objects
}

// rdmaStats is rdma -j statistic show: an object for each port. What rdma does not
// have is left out: the management agent's counters, and those of whole devices.
func rdmaStats(items []statItem) (objects []output.Object) {
	last := ""
	for _, i := range items {
		port, ok := i.Port.Get()
		if !ok || i.Source == counters.PMA {
			continue
		}
		if i.name() != last {
			last = i.name()
			objects = append(objects, output.Object{{Key: "ifname", Value: i.Device}, {Key: "port", Value: port}})
		}
		objects[len(objects)-1].Add(i.Name, i.Value)
	}
	return objects
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
