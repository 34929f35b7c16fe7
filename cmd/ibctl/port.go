package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

func portCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "port", Category: categoryShow, Usage: "ports: state, rate, LIDs, MTUs, capabilities, partitions",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "a line for each port",
				ArgsUsage: argsPorts, Description: devArguments,
				UsageText: "ibctl port list -o wide\twith GUIDs, capability masks, sizes of tables\n" +
					"ibctl port list mlx5_0/1 --watch\twhenever something changes",
				Flags:  watchFlags("show what changes"),
				Action: inv.portList,
			},
			{
				Name: "show", Usage: "all that is known of a port",
				ArgsUsage: argsPorts, Description: devArguments,
				UsageText: "ibctl port show mlx5_0/1\tone port\n" +
					"ibctl port show eth2 -j\tthe port behind a network interface, as JSON",
				Action: inv.portShow,
			},
		},
	}
}

// portItem is the item of a PortList document.
type portItem struct {
	// Time and Change are there while ports are watched.
	Time        rdma.Opt[time.Time] `json:"time,omitzero"`
	Change      string              `json:"change,omitempty"`
	Device      string              `json:"device"`
	DeviceIndex rdma.Opt[uint32]    `json:"device_index,omitzero"`
	Protocol    rdma.Protocol       `json:"protocol,omitzero"`
	rdma.Port
	host.PortDetails
}

// name returns the port as an argument of ibctl: mlx5_0/1.
func (p portItem) name() string { return fmt.Sprintf("%s/%d", p.Device, p.Number) }

func (inv *invocation) portList(c *cli.Context) error {
	if err := inv.checkWatch(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	look := func(ctx context.Context) (found, []portItem, error) {
		return inv.ports(ctx, c.Args().Slice(), inv.format.Structured() && !c.Bool("watch"))
	}
	v := portView
	if c.Bool("watch") {
		return watch(ctx, inv, newPace(c), look, v)
	}
	f, items, err := look(ctx)
	if err != nil {
		return err
	}
	return printResult(inv, f, v.result(items, f.warnings))
}

func (inv *invocation) portShow(c *cli.Context) error {
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	f, items, err := inv.ports(ctx, c.Args().Slice(), true)
	if err != nil {
		return err
	}
	r := portView.result(items, f.warnings)
	r.Body = output.Records(portRecords(items))
	return printResult(inv, f, r)
}

// ports reads the ports that args name, with their partitions if pkeys is set.
func (inv *invocation) ports(ctx context.Context, args []string, pkeys bool) (found, []portItem, error) {
	f, err := inv.targets(ctx, args, host.Full)
	if err != nil {
		return f, nil, err
	}
	h, err := host.Open(host.Options{Root: inv.root})
	if err != nil {
		return f, nil, err
	}
	defer h.Close() //nolint:errcheck // nothing was written
	var items []portItem
	for _, t := range f.targets {
		if t.index.IsKnown() {
			return f, nil, usagef("%s: want DEV or DEV/PORT", t.name())
		}
		for _, p := range t.device.Ports {
			if number, one := t.port.Get(); one && p.Number != number {
				continue
			}
			items = append(items, inv.readPort(ctx, h, &f, t, p, pkeys))
		}
	}
	return f, items, nil
}

// readPort adds the details. Without them there is the port still, as long as the
// device is.
func (inv *invocation) readPort(ctx context.Context, h *host.Host, f *found, t target, p rdma.Port, pkeys bool) portItem {
	item := portItem{Device: t.device.Name, DeviceIndex: t.device.Index, Protocol: t.device.Protocol, Port: p}
	details, warnings, err := h.PortDetails(ctx, t.device, p, pkeys)
	item.PortDetails = details
	f.warnings = append(f.warnings, warnings...)
	if err != nil {
		f.warnings = append(f.warnings, rdma.Warning{Object: item.name(), Op: "read port", Err: err})
	}
	return item
}

var portView = view[portItem]{
	kind: "PortList", columns: portColumns, name: portItem.name, key: portItem.name, same: samePort, mark: markPort,
	marks: []output.Column[portItem]{
		{Header: "TIME", Cell: func(p portItem) string { return p.Time.Or(time.Time{}).Format(time.TimeOnly) }},
		{Header: "CHANGE", Cell: func(p portItem) string { return p.Change }},
	},
	rdma: rdmaPorts,
}

func markPort(p portItem, at time.Time, change string) portItem {
	p.Time, p.Change = rdma.Known(at), change
	return p
}

// samePort tells whether nothing has changed that is looked at again.
func samePort(a, b portItem) bool {
	return a.DeviceIndex == b.DeviceIndex && a.Port == b.Port && a.PortGUID == b.PortGUID && a.SMSL == b.SMSL &&
		a.CapMask2 == b.CapMask2 && slices.Equal(a.PKeys, b.PKeys) && a.PKeyTableSize == b.PKeyTableSize && a.GIDTableSize == b.GIDTableSize
}
