package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

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
				Description: `Starts every client, adds it to every device, prints it, removes it and stops it:
it shows that plugins work on this host, and which guarantee they run under.`,
				UsageText: "ibctl client list -o wide\twith versions and what the guarantee does not cover",
				Action:    inv.clientList,
			},
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
	Guarantee supervisor.Guarantee `json:"guarantee,omitzero"`
	Lost      string               `json:"lost,omitempty"`
	Devices   []attachedDevice     `json:"devices"`
}

// attachedDevice is a device that a client drives.
type attachedDevice struct {
	Device     string           `json:"device"`
	Index      rdma.Opt[uint32] `json:"index,omitzero"`
	Generation uint64           `json:"generation"`
}

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
	s, err := inv.openSession(ctx, devicesOf(found.targets), builtins()...)
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
	{Header: "PID", Cell: func(i clientItem) string { return strconv.Itoa(i.PID) }, Right: true},
	{Header: "GUARANTEE", Cell: func(i clientItem) string { return i.Guarantee.String() }},
	{Header: "DEVICES", Cell: clientItem.deviceNames},
	{Header: "VERSION", Cell: func(i clientItem) string { return i.Version }, Wide: true},
	{Header: "LOST", Cell: func(i clientItem) string { return i.Lost }, Wide: true},
}

func (i clientItem) deviceNames() string {
	var names []string
	for _, d := range i.Devices {
		names = append(names, d.Device)
	}
	return strings.Join(names, ",")
}

// clients describes the clients of a session; the warnings tell which devices did
// not take one.
func (s *session) clients() (items []clientItem, warnings []rdma.Warning) {
	for _, p := range s.plugins {
		item := clientItem{
			Name: p.Name(), State: supervisor.StateRunning, Version: p.Version(), PID: p.PID(),
			Guarantee: p.Guarantee(), Lost: p.Guarantee().Lost(), Devices: []attachedDevice{},
		}
		for _, a := range s.registry.Attachments() {
			name := s.devices[a.Device].Name
			switch {
			case a.Client != p.Name():
			case a.State == core.AttachAttached:
				item.Devices = append(item.Devices, attachedDevice{name, s.devices[a.Device].Index, a.Device.Generation})
			default:
				warnings = append(warnings, rdma.Warning{Object: name, Op: "add client " + p.Name(), Err: a.Err})
			}
		}
		slices.SortFunc(item.Devices, func(a, b attachedDevice) int { return cmp.Compare(a.Device, b.Device) })
		items = append(items, item)
	}
	return items, warnings
}
