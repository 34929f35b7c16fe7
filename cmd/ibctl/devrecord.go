package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

// devRecords shows devices in full.
func devRecords(devices []rdma.Device) []output.Record {
	records := make([]output.Record, 0, len(devices))
	for _, d := range devices {
		r := output.Record{Title: d.Name, Fields: devFields(d)}
		for _, p := range d.Ports {
			r.Parts = append(r.Parts, output.Record{Title: "port " + portNumber(p), Fields: portFields(p)})
		}
		records = append(records, r)
	}
	return records
}

func devFields(d rdma.Device) []output.Field {
	return []output.Field{
		{Label: "index", Value: text(d.Index)},
		{Label: "node type", Value: text(d.NodeType)},
		{Label: "protocol", Value: string(d.Protocol)},
		{Label: "parent", Value: d.Parent},
		{Label: "sub-device type", Value: d.Type},
		{Label: "description", Value: d.NodeDesc},
		{Label: "model", Value: d.HCAType},
		{Label: "board", Value: d.BoardID},
		{Label: "hardware revision", Value: d.HWRev},
		{Label: "firmware", Value: d.Firmware},
		{Label: "node GUID", Value: text(d.NodeGUID)},
		{Label: "system image GUID", Value: text(d.SysImageGUID)},
		{Label: "PCI address", Value: d.PCIAddress},
		{Label: "NUMA node", Value: text(d.NUMANode)},
		{Label: "driver", Value: d.Driver},
		{Label: "drained since", Value: drainedText(d)},
		{Label: "adaptive moderation", Value: onOff(d.AdaptiveModeration)},
		{Label: "capabilities", Value: strings.Join(d.Capabilities, " ")},
		{Label: "character devices", Value: strings.Join(d.CharDevs, " ")},
	}
}

func portFields(p rdma.Port) []output.Field {
	return []output.Field{
		{Label: "state", Value: text(p.State)},
		{Label: "physical state", Value: text(p.PhysState)},
		{Label: "link layer", Value: string(p.LinkLayer)},
		{Label: "rate", Value: rate(p)},
		{Label: "width", Value: p.Width},
		{Label: "speed", Value: p.Speed},
		{Label: "LID", Value: text(p.LID)},
		{Label: "SM LID", Value: text(p.SMLID)},
		{Label: "LMC", Value: text(p.LMC)},
		{Label: "subnet prefix", Value: text(p.SubnetPrefix)},
		{Label: "active MTU", Value: text(p.ActiveMTU)},
		{Label: "max MTU", Value: text(p.MaxMTU)},
		{Label: "capability mask", Value: capMask(p)},
		{Label: "netdev", Value: p.Netdev},
		{Label: "netdev index", Value: text(p.NetdevIndex)},
	}
}

func capMask(p rdma.Port) string {
	mask, ok := p.CapMask.Get()
	if !ok {
		return ""
	}
	return fmt.Sprintf("0x%08x", mask)
}

// drainedText says since when a device is drained; empty if it is not. Devices of
// a captured tree have no index, and so never are.
func drainedText(d rdma.Device) string {
	if e, ok := errors.AsType[*drainedError](outOfService(d)); ok {
		return e.since.Local().Format(time.DateTime)
	}
	return ""
}
