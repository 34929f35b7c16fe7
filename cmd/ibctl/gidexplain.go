package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// argsExplain is what gid explain takes.
const argsExplain = "DEV[/PORT] IP|GID|INDEX"

func gidExplainCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "why a GID is in a port's table, or why it is not",
		ArgsUsage: argsExplain,
		Description: `Follows the kernel's rules from the network interface behind the port to the one
that has the address, and says where they part. A GID may be given as an IPv4 or
IPv6 address, or by the index of its slot, also as DEV/PORT/INDEX.`,
		UsageText: "ibctl gid explain mlx5_0 10.0.0.1\tis it there, and why\n" +
			"ibctl gid explain mlx5_0/1/3\twhat put this into slot 3",
		Action: inv.gidExplain,
	}
}

// gidExplain explains a GID or a slot for the ports of one device.
func (inv *invocation) gidExplain(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) == 0 || len(args) > 2 {
		return usagef("gid explain takes a device or port, and an address, a GID or an index; it %s", gotArguments(len(args)))
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, args[:1], host.Summary)
	if err != nil {
		return err
	}
	if len(found.targets) == 0 {
		return found.problems
	}
	request, err := explainRequest(found.targets[0], args[1:])
	if err != nil {
		return err
	}
	items, warnings, err := inv.askExplain(ctx, found.targets[0], request)
	if err != nil {
		return err
	}
	return printResult(inv, found, output.Result[gidExplanation]{
		Kind: "GIDExplanation", Items: items, Warnings: append(found.warnings, warnings...),
		Body: explainBody(items),
		Name: gidExplanation.name,
	})
}

// explainRequest asks for what the arguments after the device name, or for the
// slot that the device's argument itself names.
func explainRequest(t target, args []string) (*rocev1.ExplainGIDRequest, error) {
	request := &rocev1.ExplainGIDRequest{Port: pointer(t.port)}
	index, slot := t.index.Get()
	switch {
	case slot && len(args) > 0:
		return nil, usagef("%s names a slot already", t.name())
	case slot:
		request.Subject = &rocev1.ExplainGIDRequest_Index{Index: index}
		return request, nil
	case len(args) == 0:
		return nil, usagef("%s: what of it? Name an address, a GID or the index of a slot", t.name())
	}
	if n, err := strconv.ParseUint(args[0], 10, 32); err == nil {
		request.Subject = &rocev1.ExplainGIDRequest_Index{Index: uint32(n)}
		return request, nil
	}
	addr, err := netip.ParseAddr(args[0])
	if err != nil || addr.Zone() != "" {
		return nil, usagef("%q is no IPv4 or IPv6 address, no GID, and no index", args[0])
	}
	gid := rdma.GIDFromAddr(addr)
	request.Subject = &rocev1.ExplainGIDRequest_Gid{Gid: gid[:]}
	return request, nil
}

func (inv *invocation) askExplain(ctx context.Context, t target, request *rocev1.ExplainGIDRequest) (items []gidExplanation, warnings []rdma.Warning, err error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openSession(ctx, []rdma.Device{t.device}, roce.Name)
	if err != nil {
		return nil, nil, orInterruption(ctx, err)
	}
	items, warnings, err = receiveExplanations(ctx, s, t, request)
	warnings = append(warnings, s.close()...)
	return items, warnings, orInterruption(ctx, err)
}

func receiveExplanations(ctx context.Context, s session, t target, request *rocev1.ExplainGIDRequest) (items []gidExplanation, warnings []rdma.Warning, err error) {
	if request.Device, err = s.device(roce.Name, t.device); err != nil {
		return nil, nil, err
	}
	stream, err := rocev1.NewAuditClient(s.conn(roce.Name)).ExplainGID(ctx, request)
	if err != nil {
		return nil, nil, plainStatus(err)
	}
	for {
		x, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return items, warnings, nil
		}
		if err != nil {
			return nil, warnings, plainStatus(err)
		}
		items = append(items, newGIDExplanation(x, t))
		warnings = append(warnings, rocev1.RDMAWarnings(x.GetWarnings())...)
	}
}

// gidExplanation is the item of a GIDExplanation document: the answer for one port.
type gidExplanation struct {
	Device string `json:"device"`
	Port   uint32 `json:"port"`
	// PortNetdev is behind the port, Netdev has the address.
	PortNetdev string               `json:"port_netdev,omitzero"`
	GID        rdma.Opt[rdma.GID]   `json:"gid,omitzero"`
	IPv4       rdma.Opt[netip.Addr] `json:"ipv4,omitzero"`
	Verdict    string               `json:"verdict"`
	Reason     string               `json:"reason"`
	Slots      []explainedSlot      `json:"slots"`
	Netdev     string               `json:"netdev,omitzero"`
	Chain      []string             `json:"chain"`
	Text       []string             `json:"text"`
	Mend       []string             `json:"mend"`
	Elsewhere  []string             `json:"elsewhere"`
}

// explainedSlot is a slot that has the GID.
type explainedSlot struct {
	Index  uint32       `json:"index"`
	Type   rdma.GIDType `json:"type,omitzero"`
	Netdev string       `json:"netdev,omitzero"`

	short string
}

func newGIDExplanation(x *rocev1.GIDExplanation, t target) gidExplanation {
	out := gidExplanation{
		Device: x.GetDevice(), Port: x.GetPort(), PortNetdev: x.GetPortNetdev(), GID: rocev1.RDMAGID(x.GetGid()),
		Verdict: x.GetVerdict(), Reason: x.GetReason(), Slots: []explainedSlot{}, Netdev: x.GetNetdev(),
		Chain: list(x.GetChain()), Text: list(x.GetText()), Mend: list(x.GetMend()), Elsewhere: list(x.GetElsewhere()),
	}
	out.IPv4 = ipv4Of(out.GID)
	for _, g := range x.GetSlots() {
		e := rdma.GIDEntry{Index: g.GetIndex(), Type: rdma.GIDType(g.GetType()), Netdev: g.GetNetdev()}
		out.Slots = append(out.Slots, explainedSlot{e.Index, e.Type, e.Netdev, shortType(e, t.linkLayer(x.GetPort()))})
	}
	return out
}

// name returns the first slot that it is about, or else the port.
func (x gidExplanation) name() string {
	name := x.Device + "/" + strconv.FormatUint(uint64(x.Port), 10)
	if len(x.Slots) > 0 {
		name += "/" + strconv.FormatUint(uint64(x.Slots[0].Index), 10)
	}
	return name
}

func explainBody(items []gidExplanation) output.Body {
	var records []output.Record
	for _, x := range items {
		records = append(records, x.record())
	}
	return output.Records(records)
}

// verdicts are the words for them.
var verdicts = map[string]string{
	"present":       "is in the table",
	"present_stale": "is in the table, and should not be",
	"absent":        "is not in the table, and does not belong there",
	"absent_lost":   "is not in the table, and should be",
	"empty_slot":    "the slot is empty",
	"indeterminate": "cannot be told for certain",
}

func (x gidExplanation) record() output.Record {
	title := x.Device + "/" + strconv.FormatUint(uint64(x.Port), 10) + ": "
	if gid, ok := x.GID.Get(); ok {
		title += gid.Addr().String() + " "
	}
	r := output.Record{Title: title + verdicts[x.Verdict]}
	r.Fields = append(r.Fields, output.Field{Label: "reason", Value: strings.ReplaceAll(x.Reason, "_", " ")})
	r.Fields = append(r.Fields, lines("why", x.Text)...)
	var slots []string
	for _, s := range x.Slots {
		slots = append(slots, strconv.FormatUint(uint64(s.Index), 10)+" ("+s.short+" "+s.Netdev+")")
	}
	r.Fields = append(r.Fields, lines("index", slots)...)
	r.Fields = append(r.Fields, lines("mend", x.Mend)...)
	r.Fields = append(r.Fields,
		output.Field{Label: "chain", Value: strings.Join(x.Chain, " < ")},
		output.Field{Label: "elsewhere", Value: strings.Join(x.Elsewhere, ", ")})
	return r
}
