package main

import (
	"fmt"
	"strings"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

// portColumns have what ibstat tells of a port, in its order.
var portColumns = []output.Column[portItem]{
	{Header: "DEVICE", Cell: func(p portItem) string { return p.Device }},
	{Header: "PORT", Cell: func(p portItem) string { return portNumber(p.Port) }, Right: true},
	{Header: "STATE", Cell: func(p portItem) string { return text(p.State) }},
	{Header: "PHYSICAL", Cell: func(p portItem) string { return text(p.PhysState) }},
	{Header: "RATE", Cell: func(p portItem) string { return rate(p.Port) }, Right: true},
	{Header: "WIDTH", Cell: func(p portItem) string { return p.Width }, Right: true},
	{Header: "SPEED", Cell: func(p portItem) string { return p.Speed }},
	{Header: "LID", Cell: func(p portItem) string { return text(p.LID) }, Right: true},
	{Header: "LMC", Cell: func(p portItem) string { return text(p.LMC) }, Right: true},
	{Header: "SM_LID", Cell: func(p portItem) string { return text(p.SMLID) }, Right: true},
	{Header: "MTU", Cell: func(p portItem) string { return mtus(p.Port) }, Right: true},
	{Header: "LINK", Cell: func(p portItem) string { return string(p.LinkLayer) }},
	{Header: "NETDEV", Cell: func(p portItem) string { return p.Netdev }},
	{Header: "PORT_GUID", Cell: func(p portItem) string { return text(p.PortGUID) }, Wide: true},
	{Header: "SUBNET_PREFIX", Cell: func(p portItem) string { return text(p.SubnetPrefix) }, Wide: true},
	{Header: "SM_SL", Cell: func(p portItem) string { return text(p.SMSL) }, Right: true, Wide: true},
	{Header: "CAP_MASK", Cell: func(p portItem) string { return capMask(p.Port) }, Wide: true},
	{Header: "CAP_MASK2", Cell: func(p portItem) string { return hexText(p.CapMask2) }, Wide: true},
	{Header: "PKEYS", Cell: func(p portItem) string { return text(p.PKeyTableSize) }, Right: true, Wide: true},
	{Header: "GIDS", Cell: func(p portItem) string { return text(p.GIDTableSize) }, Right: true, Wide: true},
	{Header: "INDEX", Cell: func(p portItem) string { return text(p.DeviceIndex) }, Right: true, Wide: true},
}

// mtus shows the MTU in use, and the largest: 1024/4096.
func mtus(p rdma.Port) string {
	active, largest := text(p.ActiveMTU), text(p.MaxMTU)
	switch {
	case active == "" && largest == "":
		return ""
	case largest == "":
		return active
	case active == "":
		return "-/" + largest
	}
	return active + "/" + largest
}

func hexText(o rdma.Opt[uint32]) string {
	if v, ok := o.Get(); ok {
		return fmt.Sprintf("0x%08x", v)
	}
	return ""
}

// portRecords shows ports in full.
func portRecords(items []portItem) []output.Record {
	records := make([]output.Record, 0, len(items))
	for _, p := range items {
		fields := append([]output.Field{{Label: "protocol", Value: string(p.Protocol)}}, portFields(p.Port)...)
		fields = append(fields,
			output.Field{Label: "port GUID", Value: text(p.PortGUID)},
			output.Field{Label: "SM service level", Value: text(p.SMSL)},
			output.Field{Label: "capability mask 2", Value: hexText(p.CapMask2)},
			output.Field{Label: "capabilities", Value: strings.Join(p.Capabilities, " ")},
			output.Field{Label: "GID table size", Value: text(p.GIDTableSize)},
			output.Field{Label: "partition table size", Value: text(p.PKeyTableSize)},
		)
		r := output.Record{Title: p.name(), Fields: fields}
		if len(p.PKeys) > 0 {
			r.Parts = []output.Record{{Title: "partition keys", Fields: pkeyFields(p.PKeys)}}
		}
		records = append(records, r)
	}
	return records
}

func pkeyFields(pkeys []host.PKey) []output.Field {
	fields := make([]output.Field, len(pkeys))
	for i, k := range pkeys {
		member := "limited member"
		if k.Full {
			member = "full member"
		}
		fields[i] = output.Field{Label: fmt.Sprint(k.Index), Value: fmt.Sprintf("0x%04x  %s", k.PKey, member)}
	}
	return fields
}
