package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/holders"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

func devHoldersCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "holders", Usage: "who keeps a device in use, and what its removal would do to them",
		ArgsUsage: argsDevices,
		Description: devArguments + `

EFFECT is what a removal of the device would do: "blocks" means that the kernel
would wait for the holder, for ever if need be.`,
		UsageText: "ibctl dev holders mlx5_0\twho is in the way of a driver reload\n" +
			"ibctl dev holders mlx5_0 -o wide\twith command lines\n" +
			"ibctl dev holders -o json\tof all devices, for a script",
		Action: inv.devHolders,
	}
}

func (inv *invocation) devHolders(c *cli.Context) error {
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, c.Args().Slice(), host.Full)
	if err != nil {
		return err
	}
	for _, t := range found.targets {
		if t.given {
			return usagef("%s: %s takes a device, not a port", t.name(), c.Command.HelpName)
		}
	}
	reports, warnings, err := inv.reportHolders(ctx, devicesOf(found.targets))
	if err != nil {
		return err
	}
	var items []holders.Holder
	for _, r := range reports {
		items = append(items, r.Holders...)
	}
	return printResult(inv, found, output.Result[holders.Holder]{
		Kind: "HolderList", Items: items, Warnings: append(found.warnings, warnings...),
		Body: output.Rows(items, holderColumns),
		Name: holderName,
	})
}

// reportHolders reads who holds devices, and says as warnings what it could not
// look at.
func (inv *invocation) reportHolders(ctx context.Context, devices []rdma.Device) ([]holders.Report, []rdma.Warning, error) {
	all, err := inv.targets(ctx, nil, host.Summary)
	if err != nil {
		return nil, nil, err
	}
	clients, err := inv.daemonClients(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, err := holders.Open()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	reports, warnings, err := r.Report(ctx, devices, devicesOf(all.targets), clients)
	for _, report := range reports {
		for _, text := range report.Unseen {
			warnings = append(warnings, rdma.Warning{Object: report.Device.Name, Op: "look for holders, without", Err: errors.New(text)})
		}
	}
	return reports, warnings, err
}

// daemonClients lists the clients that ibctl serve has on devices.
func (inv *invocation) daemonClients(ctx context.Context) (map[string][]holders.Client, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil || d == nil {
		return nil, err
	}
	reply, err := d.ListClients(ctx, &apiv1.ListClientsRequest{})
	if err != nil {
		return nil, plainStatus(err)
	}
	found := map[string][]holders.Client{}
	for _, c := range reply.GetClients() {
		client := holders.Client{Name: c.GetName()}
		if pid := c.GetPid(); pid != 0 {
			client.PID = rdma.Known(int(pid))
		}
		for _, a := range c.GetDevices() {
			if a.GetError() == nil {
				found[a.GetDevice()] = append(found[a.GetDevice()], client)
			}
		}
	}
	return found, nil
}

// holderName is what -o name prints: the pid of a process, and the kind and name
// of the others.
func holderName(h holders.Holder) string {
	if pid, ok := h.PID.Get(); ok && h.Kind == holders.KindProcess {
		return strconv.Itoa(pid)
	}
	return string(h.Kind) + "/" + h.Name
}

var holderColumns = []output.Column[holders.Holder]{
	{Header: "DEVICE", Cell: func(h holders.Holder) string { return h.Device }},
	{Header: "KIND", Cell: func(h holders.Holder) string { return string(h.Kind) }},
	{Header: "NAME", Cell: func(h holders.Holder) string { return h.Name }},
	{Header: "PID", Cell: func(h holders.Holder) string { return text(h.PID) }, Right: true},
	{Header: "USER", Cell: holderUser},
	{Header: "OWNER", Cell: holderOwner},
	{Header: "HOLDS", Cell: holdsText},
	{Header: "EFFECT", Cell: effectText},
	{Header: "REASON", Cell: func(h holders.Holder) string { return h.Reason }},
	{Header: "COMMAND", Cell: func(h holders.Holder) string { return strings.Join(h.Command, " ") }, Wide: true},
}

func holderUser(h holders.Holder) string {
	if h.User != "" {
		return h.User
	}
	return text(h.UID)
}

// holderOwner is the innermost thing that somebody can stop.
func holderOwner(h holders.Holder) string {
	switch {
	case h.Pod != "":
		return "pod " + h.Pod
	case h.SlurmJob != "":
		return "slurm job " + h.SlurmJob
	case h.Container != "":
		return "container " + h.Container[:min(12, len(h.Container))]
	}
	return h.Unit
}

// holdsText names what it has open and counts what it has made.
func holdsText(h holders.Holder) string {
	var parts []string
	for _, d := range h.Descriptors {
		part := d.Name
		switch creator, known := d.Creator.Get(); {
		case known:
			part += fmt.Sprintf(" (from %d)", creator)
		case d.CreatorEnded:
			part += " (its maker has ended)"
		}
		parts = append(parts, part)
	}
	for _, kind := range slices.Sorted(maps.Keys(h.Objects)) {
		parts = append(parts, fmt.Sprintf("%d %s", h.Objects[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// effectText is the effect for people.
func effectText(h holders.Holder) string {
	switch {
	case h.Effect == holders.CutOff:
		return "cut off"
	case h.Waits && h.Effect != holders.Blocks:
		return string(h.Effect) + ", may block"
	}
	return string(h.Effect)
}
