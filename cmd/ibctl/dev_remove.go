package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/takedown"
)

func devRemoveCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "drain a device and remove it from the kernel",
		ArgsUsage: argsDevice,
		Description: `Deletes the link of a soft device, deletes a sub-device, and takes the PCI function
of any other away from its driver, which ends its network interfaces, too.

` + takedownFlagsHelp,
		UsageText: "ibctl dev remove rxe0\tor a refusal that says who is in the way\n" +
			"ibctl dev remove 0000:3b:00.0 --evict kill --timeout 1m\tbefore the card is pulled out\n" +
			"ibctl dev remove mlx5_0 --dry-run -o json\tthe plan, for a script",
		Flags:  takedownFlags(),
		Action: inv.takeDown(prepareRemoval, 1),
	}
}

// prepareRemoval decides how the kernel removes the device, and what goes with
// it.
func prepareRemoval(_ context.Context, _ *cli.Context, job *takedown.Job, all []rdma.Device) error {
	d := job.Devices[len(job.Devices)-1]
	o := &takedown.Operation{Device: d.Name, Index: d.Index.Or(0), PCI: d.PCIAddress}
	switch {
	case !d.Index.IsKnown():
		return fmt.Errorf("%s: the kernel tells no index of it: %w", d.Name, syscall.EOPNOTSUPP)
	case d.Parent != "":
		o.Kind = takedown.DeleteSubDevice
	case d.PCIAddress == "":
		o.Kind = takedown.DeleteLink
	default:
		f, err := takedown.FindFunction(d.PCIAddress)
		if err != nil {
			return err
		}
		o.Kind = takedown.Unbind
		together := onFunctions(d, all, append(f.VirtualFunctions(), f.Address))
		o.Netdev = strings.Join(netdevsOf(together), ", ")
		job.Devices = withSubDevices(together, all)
		job.Losses = takedown.LostByUnbind(together, f.Address)
	}
	job.Operation = o
	return nil
}

// onFunctions returns all devices of PCI functions that go together: those of
// virtual functions first, and d last.
func onFunctions(d rdma.Device, all []rdma.Device, addresses []string) []rdma.Device {
	var list []rdma.Device
	for _, address := range addresses {
		for _, other := range all {
			if other.PCIAddress == address && other.Name != d.Name && other.Parent == "" {
				list = append(list, other)
			}
		}
	}
	return append(list, d)
}

// netdevsOf lists the network interfaces behind devices, each once.
func netdevsOf(devices []rdma.Device) []string {
	var names []string
	for _, d := range devices {
		for _, p := range d.Ports {
			if p.Netdev != "" && !slices.Contains(names, p.Netdev) {
				names = append(names, p.Netdev)
			}
		}
	}
	return names
}
