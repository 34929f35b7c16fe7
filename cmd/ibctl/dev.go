package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

func devCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "dev", Category: categoryShow, Usage: "devices (HCAs) and their ports",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "a line for each port",
				ArgsUsage: argsDevices, Description: devArguments, UsageText: devListExamples,
				Action: inv.devVerb(host.Summary, func(devices []rdma.Device) output.Body {
					return output.Rows(portRows(devices), devColumns)
				}),
			},
			{
				Name: "show", Usage: "all that is known of a device",
				ArgsUsage: argsDevices, Description: devArguments, UsageText: devShowExamples,
				Action: inv.devVerb(host.Full, func(devices []rdma.Device) output.Body {
					return output.Records(devRecords(devices))
				}),
			},
			devHoldersCommand(inv), devDrainCommand(inv), devUndrainCommand(inv),
			devRemoveCommand(inv), devAddCommand(inv), devSetCommand(inv), devRenameCommand(inv), devNetnsCommand(inv), devBindCommand(inv),
		},
	}
}

const devArguments = `DEV is a device's name (mlx5_0), its kernel index (#3), its node GUID, the PCI
address of its function, or the name of a network interface behind it. Without
one, all devices are meant.`

const (
	devListExamples = "ibctl dev list -o wide\twith GUIDs, PCI addresses, drivers\n" +
		"ibctl dev list eth2\tthe device behind a network interface\n" +
		"ibctl dev list -o name\tbare names, for a loop in a script"
	devShowExamples = "ibctl dev show mlx5_0\tby name\n" +
		"ibctl dev show 0000:3b:00.0\tby PCI address\n" +
		"ibctl dev show '#3' -j\tby kernel index, as JSON"
)

// devVerb reads the devices that the arguments name, and prints them. detail is
// what body needs; a document for a parser always has everything.
func (inv *invocation) devVerb(detail host.Detail, body func([]rdma.Device) output.Body) cli.ActionFunc {
	return func(c *cli.Context) error {
		ctx, cancel := inv.limit(c.Context)
		defer cancel()
		if inv.format.Whole() {
			detail = host.Full
		}
		found, err := inv.targets(ctx, c.Args().Slice(), detail)
		if err != nil {
			return err
		}
		for _, t := range found.targets {
			if t.given {
				return usagef("%s: %s takes a device, not a port", t.name(), c.Command.HelpName)
			}
		}
		devices := devicesOf(found.targets)
		items, unknown := inv.deviceItems(devices)
		return printResult(inv, found, output.Result[deviceItem]{
			Kind: "DeviceList", Items: items, Warnings: append(found.warnings, unknown...),
			Body: body(devices),
			Name: func(d deviceItem) string { return d.Name },
			RDMA: func([]deviceItem) []output.Object { return rdmaDevices(devices) },
			Legacy: map[output.Format]func([]deviceItem) []string{
				output.IBDev2Netdev: func([]deviceItem) []string { return ibdev2netdev(devices) },
			},
		})
	}
}

// portRow is a line of dev list: a port with its device. A device without ports
// has one line, whose port has the number 0.
type portRow struct {
	dev  *rdma.Device
	port rdma.Port
}

// name returns the port as an argument of ibctl: mlx5_0/1.
func (r portRow) name() string { return fmt.Sprintf("%s/%d", r.dev.Name, r.port.Number) }

func portRows(devices []rdma.Device) []portRow {
	var rows []portRow
	for i := range devices {
		d := &devices[i]
		if len(d.Ports) == 0 {
			rows = append(rows, portRow{dev: d})
		}
		for _, p := range d.Ports {
			rows = append(rows, portRow{d, p})
		}
	}
	return rows
}
