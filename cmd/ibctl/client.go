package main

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/supervisor"
)

func clientCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "client", Category: categoryShow, Usage: "clients of the devices, and the plugin processes that serve them",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "a line for each client",
				Description: `Lists what ibctl serve has loaded. Without it, starts every client, adds it to every
device, prints it, removes it and stops it: that shows that plugins work on this
host, and which guarantee they run under.`,
				UsageText: "ibctl client list -o wide\twith versions and what the guarantee does not cover",
				Action:    inv.clientList,
			},
			clientLoadCommand(inv),
			clientUnloadCommand(inv),
		},
	}
}

// clientItem is the item of a ClientList document.
type clientItem struct {
	Name    string           `json:"name"`
	State   supervisor.State `json:"state"`
	Version string           `json:"version,omitempty"`
	PID     int              `json:"pid,omitempty"`
	// Guarantee says what proves the death of the plugin's processes, Lost what
	// it does not cover.
	Guarantee string           `json:"guarantee,omitempty"`
	Lost      string           `json:"lost,omitempty"`
	Devices   []attachedDevice `json:"devices"`
	// These are of clients that ibctl serve keeps: when State was entered, how
	// often the plugin was started again, and why it was the last time.
	Since     rdma.Opt[time.Time] `json:"since,omitzero"`
	Restarts  rdma.Opt[uint32]    `json:"restarts,omitzero"`
	LastError string              `json:"last_error,omitempty"`
}

// attachedDevice is a device that a client drives.
type attachedDevice struct {
	Device     string           `json:"device"`
	Index      rdma.Opt[uint32] `json:"index,omitzero"`
	Generation uint64           `json:"generation"`
}

func newAttachedDevice(name string, id core.ID) attachedDevice {
	d := attachedDevice{Device: name, Generation: id.Generation}
	if id.Index != core.NoIndex {
		d.Index = rdma.Known(id.Index)
	}
	return d
}

func byName(a, b attachedDevice) int { return cmp.Compare(a.Device, b.Device) }

func (inv *invocation) clientList(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, nil, host.Summary)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openAll(ctx, devicesOf(found.targets))
	if err != nil {
		return orInterruption(ctx, err)
	}
	items, failures := s.clients()
	warnings := append(found.warnings, failures...)
	warnings = append(warnings, s.close()...)
	if err := orInterruption(ctx, nil); err != nil {
		return err
	}
	return printResult(inv, found, output.Result[clientItem]{
		Kind: "ClientList", Items: items, Warnings: warnings,
		Body: output.Rows(items, clientColumns),
		Name: func(i clientItem) string { return i.Name },
	})
}

var clientColumns = []output.Column[clientItem]{
	{Header: "CLIENT", Cell: func(i clientItem) string { return i.Name }},
	{Header: "STATE", Cell: func(i clientItem) string { return string(i.State) }},
	{Header: "PID", Cell: clientItem.pid, Right: true},
	{Header: "GUARANTEE", Cell: func(i clientItem) string { return i.Guarantee }},
	{Header: "DEVICES", Cell: clientItem.deviceNames},
	{Header: "VERSION", Cell: func(i clientItem) string { return i.Version }, Wide: true},
	{Header: "LOST", Cell: func(i clientItem) string { return i.Lost }, Wide: true},
}

func (i clientItem) pid() string {
	if i.PID == 0 {
		return "" // it does not run
	}
	return strconv.Itoa(i.PID)
}

func (i clientItem) deviceNames() string {
	var names []string
	for _, d := range i.Devices {
		names = append(names, d.Device)
	}
	return strings.Join(names, ",")
}
