package main

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

// gidItem is the item of a GIDList document: a slot as the roce client gave it,
// and what follows from it.
type gidItem struct {
	rdma.GIDEntry
	IPv4 rdma.Opt[netip.Addr] `json:"ipv4,omitzero"`

	// short is the type in a word.
	short string
}

func newGIDItem(e rdma.GIDEntry, link rdma.LinkLayer) gidItem {
	item := gidItem{GIDEntry: e, short: shortType(e, link)}
	if ip, ok := e.GID.IPv4(); ok {
		item.IPv4 = rdma.Known(ip)
	}
	return item
}

// name returns the slot as an argument of ibctl: mlx5_0/1/3.
func (i gidItem) name() string { return fmt.Sprintf("%s/%d/%d", i.Device, i.Port, i.Index) }

// gidTypeNames are the words for GID types, in tables and for --type.
func gidTypeNames() []string { return []string{"v1", "v2", "ib"} }

// shortType returns the word for e's type. The kernel has one text for IB and
// RoCE v1, which the port's link layer tells apart; where that is unknown, only
// RoCE has netdevs.
func shortType(e rdma.GIDEntry, link rdma.LinkLayer) string {
	switch {
	case e.Type == rdma.GIDTypeRoCEv2:
		return "v2"
	case e.Type != rdma.GIDTypeIBOrRoCEv1:
		return string(e.Type) // unknown, or newer than ibctl
	case link == rdma.LinkLayerEthernet, link != rdma.LinkLayerInfiniBand && e.Netdev != "":
		return "v1"
	}
	return "ib"
}

var gidColumns = []output.Column[gidItem]{
	{Header: "DEVICE", Cell: func(i gidItem) string { return i.Device }},
	{Header: "PORT", Cell: func(i gidItem) string { return strconv.FormatUint(uint64(i.Port), 10) }, Right: true},
	{Header: "INDEX", Cell: func(i gidItem) string { return strconv.FormatUint(uint64(i.Index), 10) }, Right: true},
	{Header: "GID", Cell: func(i gidItem) string { return i.GID.String() }},
	{Header: "IPV4", Cell: func(i gidItem) string { return text(i.IPv4) }},
	{Header: "TYPE", Cell: func(i gidItem) string { return i.short }},
	{Header: "NETDEV", Cell: func(i gidItem) string { return i.Netdev }},
	{Header: "DEFAULT", Cell: func(i gidItem) string { return yesNo(i.Default) }},
}

func yesNo(o rdma.Opt[bool]) string {
	v, known := o.Get()
	switch {
	case !known:
		return ""
	case v:
		return "yes"
	}
	return "no"
}
