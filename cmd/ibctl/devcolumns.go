package main

import (
	"fmt"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

var devColumns = []output.Column[portRow]{
	{Header: "DEVICE", Cell: func(r portRow) string { return r.dev.Name }},
	{Header: "PORT", Cell: func(r portRow) string { return portNumber(r.port) }, Right: true},
	{Header: "PROTOCOL", Cell: func(r portRow) string { return string(r.dev.Protocol) }},
	{Header: "LINK", Cell: func(r portRow) string { return string(r.port.LinkLayer) }},
	{Header: "STATE", Cell: func(r portRow) string { return text(r.port.State) }},
	{Header: "PHYSICAL", Cell: func(r portRow) string { return text(r.port.PhysState) }},
	{Header: "RATE", Cell: func(r portRow) string { return rate(r.port) }, Right: true},
	{Header: "NETDEV", Cell: func(r portRow) string { return r.port.Netdev }},
	{Header: "INDEX", Cell: func(r portRow) string { return text(r.dev.Index) }, Right: true, Wide: true},
	{Header: "WIDTH", Cell: func(r portRow) string { return r.port.Width }, Wide: true},
	{Header: "SPEED", Cell: func(r portRow) string { return r.port.Speed }, Wide: true},
	{Header: "LID", Cell: func(r portRow) string { return text(r.port.LID) }, Right: true, Wide: true},
	{Header: "MTU", Cell: func(r portRow) string { return text(r.port.ActiveMTU) }, Right: true, Wide: true},
	{Header: "NODE_GUID", Cell: func(r portRow) string { return text(r.dev.NodeGUID) }, Wide: true},
	{Header: "PCI", Cell: func(r portRow) string { return r.dev.PCIAddress }, Wide: true},
	{Header: "NUMA", Cell: func(r portRow) string { return text(r.dev.NUMANode) }, Right: true, Wide: true},
	{Header: "DRIVER", Cell: func(r portRow) string { return r.dev.Driver }, Wide: true},
	{Header: "FIRMWARE", Cell: func(r portRow) string { return r.dev.Firmware }, Wide: true},
}

// text returns a value for people; empty if it is unknown.
func text[T any](o rdma.Opt[T]) string {
	if v, ok := o.Get(); ok {
		return fmt.Sprint(v)
	}
	return ""
}

func portNumber(p rdma.Port) string {
	if p.Number == 0 {
		return "" // the line of a device without ports
	}
	return strconv.FormatUint(uint64(p.Number), 10)
}

// rate returns the signalling rate with its unit: 100Gb/s, 2.5Gb/s.
func rate(p rdma.Port) string {
	gbps, ok := p.RateGbps.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(gbps, 'f', -1, 64) + "Gb/s"
}
