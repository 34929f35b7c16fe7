package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func cmResolveCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "resolve", Usage: "which device, port, GID and path a connection to an address would use",
		ArgsUsage: argsHost,
		UsageText: "ibctl cm resolve 10.0.0.7\twhere a connection would go\n" +
			"ibctl cm resolve fe80::7%eth2 -j\tas JSON\n" +
			"ibctl gid show $(ibctl cm resolve 10.0.0.7 -o name)\tthe GID that it would use",
		Flags: []cli.Flag{
			fromFlag(),
			&cli.StringFlag{Name: "tos", Usage: "as if the application set the type of service `TOS`"},
		},
		Action: inv.cmResolve,
	}
}

func fromFlag() cli.Flag {
	return &cli.StringFlag{Name: "from", Aliases: []string{"I"}, Usage: "from the address `ADDRESS` of this host"}
}

// cmResolution is the item of a CMResolution document.
type cmResolution struct {
	Device       string           `json:"device"`
	Index        uint32           `json:"index"`
	Port         uint32           `json:"port"`
	Source       string           `json:"src_addr"`
	Destination  string           `json:"dst_addr"`
	GIDIndex     rdma.Opt[uint32] `json:"gid_index,omitzero"`
	GIDType      rdma.GIDType     `json:"gid_type,omitzero"`
	SGID         rdma.GID         `json:"sgid"`
	DGID         rdma.GID         `json:"dgid"`
	PathMTU      rdma.Opt[uint32] `json:"path_mtu,omitzero"`
	HopLimit     uint32           `json:"hop_limit"`
	TrafficClass uint32           `json:"traffic_class"`
	SL           uint32           `json:"sl"`
	PKey         uint32           `json:"pkey"`
	SLID         rdma.Opt[uint32] `json:"slid,omitzero"`
	DLID         rdma.Opt[uint32] `json:"dlid,omitzero"`
	Netdev       string           `json:"netdev,omitzero"`
	Gateway      string           `json:"gateway,omitzero"`
	Route        string           `json:"route,omitzero"`
	Rule         string           `json:"rule,omitzero"`
}

func newCMResolution(r *cmv1.Resolution) cmResolution {
	out := cmResolution{
		Device: r.GetDevice(), Index: r.GetDeviceIndex(), Port: r.GetPort(),
		Source: ipText(r.GetSource()), Destination: ipText(r.GetDestination()),
		GIDIndex: opt(r.GidIndex), GIDType: rdma.GIDType(r.GetGidType()),
		PathMTU: opt(r.PathMtu), HopLimit: r.GetHopLimit(), TrafficClass: r.GetTrafficClass(),
		SL: r.GetSl(), PKey: r.GetPkey(), SLID: opt(r.Slid), DLID: opt(r.Dlid),
		Netdev: r.GetNetdev(), Gateway: ipText(r.GetGateway()), Route: r.GetRoute(), Rule: r.GetRule(),
	}
	copy(out.SGID[:], r.GetSgid())
	copy(out.DGID[:], r.GetDgid())
	return out
}

func (inv *invocation) cmResolve(c *cli.Context) error {
	request, err := inv.resolveRequest(c)
	if err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	s, warnings, err := inv.openCMOnAll(ctx)
	if err != nil {
		return orInterruption(ctx, err)
	}
	answer, err := s.Resolve(ctx, request)
	warnings = append(warnings, cmv1.RDMAWarnings(answer.GetWarnings())...)
	warnings = append(warnings, s.close()...)
	if err != nil {
		inv.printer().Warn(warnings...)
		return orInterruption(ctx, plainStatus(err))
	}
	items := []cmResolution{newCMResolution(answer)}
	return output.Print(inv.printer(), output.Result[cmResolution]{
		Kind: "CMResolution", Items: items, Warnings: warnings,
		Body: output.Records(resolutionRecords(items)),
		Name: cmResolution.name,
	})
}

func (inv *invocation) resolveRequest(c *cli.Context) (*cmv1.ResolveRequest, error) {
	if err := inv.onlyHere(c); err != nil {
		return nil, err
	}
	destination, source, err := inv.bothEnds(c, 0)
	if err != nil {
		return nil, err
	}
	request := &cmv1.ResolveRequest{Destination: destination, Source: source, TimeoutMs: uint32(inv.timeout.Milliseconds())}
	if c.IsSet("tos") {
		tos, err := cm.ParseTOS(c.String("tos"))
		if err != nil {
			return nil, usagef("--tos: %v", err)
		}
		v := uint32(tos)
		request.Tos = &v
	}
	return request, nil
}

// bothEnds reads the one argument of a verb, the host to reach, and --from.
func (inv *invocation) bothEnds(c *cli.Context, port uint16) (destination, source *cmv1.Address, err error) {
	if c.NArg() != 1 {
		return nil, nil, usagef("%s takes the address of a host, and %s", c.Command.HelpName, gotArguments(c.NArg()))
	}
	if destination, err = parseHost(c.Context, c.Command.HelpName, c.Args().First(), port); err != nil {
		return nil, nil, err
	}
	if c.IsSet("from") {
		source, err = parseIP("--from", c.String("from"), 0)
	}
	return destination, source, err
}

// name returns the source GID as an argument of ibctl gid show.
func (r cmResolution) name() string {
	name := fmt.Sprintf("%s/%d", r.Device, r.Port)
	if index, ok := r.GIDIndex.Get(); ok {
		name += fmt.Sprintf("/%d", index)
	}
	return name
}

func resolutionRecords(items []cmResolution) []output.Record {
	var records []output.Record
	for _, r := range items {
		records = append(records, output.Record{Title: r.Destination, Fields: r.fields()})
	}
	return records
}

func (r cmResolution) fields() []output.Field {
	tos := cm.TOS(r.TrafficClass)
	return []output.Field{
		{Label: "device", Value: r.Device},
		{Label: "port", Value: number(r.Port)},
		{Label: "GID index", Value: text(r.GIDIndex)},
		{Label: "GID type", Value: string(r.GIDType)},
		{Label: "source", Value: r.Source},
		{Label: "source GID", Value: r.SGID.String()},
		{Label: "destination GID", Value: r.DGID.String()},
		{Label: "path MTU", Value: text(r.PathMTU)},
		{Label: "hop limit", Value: number(r.HopLimit)},
		{Label: "traffic class", Value: fmt.Sprintf("%d (DSCP %d %s, ECN %s)", r.TrafficClass, tos.DSCP(), tos.DSCPName(), tos.ECN())},
		{Label: "service level", Value: number(r.SL)},
		{Label: "partition key", Value: "0x" + strconv.FormatUint(uint64(r.PKey), 16)},
		{Label: "source LID", Value: text(r.SLID)},
		{Label: "destination LID", Value: text(r.DLID)},
		{Label: "netdev", Value: r.Netdev},
		{Label: "gateway", Value: r.Gateway},
		{Label: "decided by route", Value: r.Route},
		{Label: "found by rule", Value: r.Rule},
	}
}
