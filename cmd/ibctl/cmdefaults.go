package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

const cmDefaultsForgotten = `Both take root, to read as well as to set. The kernel forgets what was set when
the device is unregistered.`

func cmModeCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "mode", Usage: "the RoCE version that connections use by default",
		ArgsUsage:   argsMode,
		Description: "MODE is v1 or v2.\n" + cmDefaultsForgotten,
		UsageText:   "ibctl cm mode\tof all ports\nibctl cm mode mlx5_0/1 v2\tset it",
		Action: func(c *cli.Context) error {
			return inv.cmDefaults(c, cmModeColumns, func(text string, r *cmv1.SetDefaultsRequest) error {
				mode, err := cm.ParseMode(text)
				if err != nil {
					return &usageError{problem: err.Error()}
				}
				name := string(mode)
				r.RoceMode = &name
				return nil
			})
		},
	}
}

func cmTOSCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "tos", Usage: "the type of service, and so the traffic class, that connections use by default",
		ArgsUsage: argsTOS,
		Description: `TOS is a number from 0 to 255, or a DSCP: dscp:26, or its name, af31. It holds for
applications that set none of their own.
` + cmDefaultsForgotten,
		UsageText: "ibctl cm tos mlx5_0\tof the ports of a device\nibctl cm tos mlx5_0/1 106\tset it\nibctl cm tos mlx5_0 dscp:26\tthe same but for the ECN bits",
		Action: func(c *cli.Context) error {
			return inv.cmDefaults(c, cmTOSColumns, func(text string, r *cmv1.SetDefaultsRequest) error {
				tos, err := cm.ParseTOS(text)
				if err != nil {
					return &usageError{problem: err.Error()}
				}
				v := uint32(tos)
				r.Tos = &v
				return nil
			})
		},
	}
}

// cmDefault is the item of a CMDefaultList document.
type cmDefault struct {
	Device   string       `json:"device"`
	Port     uint32       `json:"port"`
	RoCEMode rdma.GIDType `json:"roce_mode,omitzero"`
	// TOS is the whole octet; DSCP and ECN are its parts.
	TOS      rdma.Opt[uint8] `json:"tos,omitzero"`
	DSCP     rdma.Opt[uint8] `json:"dscp,omitzero"`
	DSCPName string          `json:"dscp_name,omitzero"`
	ECN      string          `json:"ecn,omitzero"`
}

func newCMDefault(d *cmv1.PortDefaults) cmDefault {
	out := cmDefault{Device: d.GetDevice(), Port: d.GetPort(), RoCEMode: rdma.GIDType(d.GetRoceMode())}
	if d.Tos != nil {
		tos := cm.TOS(d.GetTos())
		out.TOS, out.DSCP = rdma.Known(uint8(tos)), rdma.Known(tos.DSCP())
		out.DSCPName, out.ECN = tos.DSCPName(), tos.ECN()
	}
	return out
}

// cmDefaults shows the defaults of the ports that the first argument names, after
// setting them if there is a second, which parse reads.
func (inv *invocation) cmDefaults(c *cli.Context, columns []output.Column[cmDefault], parse func(string, *cmv1.SetDefaultsRequest) error) error {
	var set *cmv1.SetDefaultsRequest
	args := c.Args().Slice()
	switch {
	case len(args) > 2:
		return usagef("%s takes a device or port and a value, and %s", c.Command.HelpName, gotArguments(len(args)))
	case len(args) == 2:
		set = &cmv1.SetDefaultsRequest{}
		if err := parse(args[1], set); err != nil {
			return err
		}
		args = args[:1]
	}
	if err := inv.onlyHere(c); err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, args, host.Summary)
	if err != nil {
		return err
	}
	answer, err := inv.askDefaults(ctx, found.targets, set)
	if err != nil {
		return err
	}
	found.warnings = append(found.warnings, answer.warnings...)
	found.problems = append(found.problems, answer.problems...)
	return printResult(inv, found, output.Result[cmDefault]{
		Kind: "CMDefaultList", Items: answer.items, Warnings: found.warnings,
		Body: output.Rows(answer.items, columns),
		Name: func(d cmDefault) string { return fmt.Sprintf("%s/%d", d.Device, d.Port) },
	})
}

// askDefaults asks for the defaults of targets, or sets them first.
func (inv *invocation) askDefaults(ctx context.Context, targets []target, set *cmv1.SetDefaultsRequest) (all cmAnswer[cmDefault], err error) {
	if len(targets) == 0 {
		return all, nil
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openCM(ctx, devicesOf(targets))
	if err != nil {
		return all, orInterruption(ctx, err)
	}
	all = askEach(targets, "read defaults", func(t target, a *cmAnswer[cmDefault]) error {
		stream, err := s.defaults(ctx, t, set)
		if err != nil {
			return err
		}
		return receiveAll(stream, func(d *cmv1.PortDefaults) {
			a.items = append(a.items, newCMDefault(d))
			a.warnings = append(a.warnings, cmv1.RDMAWarnings(d.GetWarnings())...)
		})
	})
	all.warnings = append(all.warnings, s.close()...)
	return all, orInterruption(ctx, nil)
}

func (s cmSession) defaults(ctx context.Context, t target, set *cmv1.SetDefaultsRequest) (grpc.ServerStreamingClient[cmv1.PortDefaults], error) {
	request, err := s.request(t)
	if err != nil {
		return nil, err
	}
	if set == nil {
		return s.GetDefaults(ctx, request)
	}
	return s.SetDefaults(ctx, &cmv1.SetDefaultsRequest{Device: request.Device, Port: request.Port, RoceMode: set.RoceMode, Tos: set.Tos})
}

var cmPortColumns = []output.Column[cmDefault]{
	{Header: "DEVICE", Cell: func(d cmDefault) string { return d.Device }},
	{Header: "PORT", Cell: func(d cmDefault) string { return strconv.FormatUint(uint64(d.Port), 10) }, Right: true},
}

var cmModeColumns = append(cmPortColumns[:2:2],
	output.Column[cmDefault]{Header: "MODE", Cell: func(d cmDefault) string { return string(d.RoCEMode) }})

var cmTOSColumns = append(cmPortColumns[:2:2],
	output.Column[cmDefault]{Header: "TOS", Cell: func(d cmDefault) string { return text(d.TOS) }, Right: true},
	output.Column[cmDefault]{Header: "DSCP", Cell: func(d cmDefault) string { return text(d.DSCP) }, Right: true},
	output.Column[cmDefault]{Header: "NAME", Cell: func(d cmDefault) string { return d.DSCPName }},
	output.Column[cmDefault]{Header: "ECN", Cell: func(d cmDefault) string { return d.ECN }})
