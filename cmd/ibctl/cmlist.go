package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

func cmListCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "list", Aliases: []string{"show"}, Usage: "CM ids: listeners and connections, and whose they are",
		ArgsUsage: argsPorts,
		UsageText: "ibctl cm list --state listen\tthe listeners\n" +
			"ibctl cm list mlx5_0 --ip 10.0.0.7\twhat goes to or comes from a host\n" +
			"ibctl cm list -o wide\twith the queue pairs at both ends",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "state", Usage: "only ids in `STATE`, such as listen or connect"},
			&cli.UintFlag{Name: "pid", Usage: "only ids that the process `PID` made"},
			&cli.StringFlag{Name: "ip", Usage: "only ids with the IPv4 or IPv6 `ADDRESS` at either end"},
		},
		Action: inv.cmList,
	}
}

// cmStates are the kernel's states of a CM id, in the order of their life.
func cmStates() []string {
	return []string{"IDLE", "ADDR_QUERY", "ADDR_RESOLVED", "ROUTE_QUERY", "ROUTE_RESOLVED", "CONNECT", "DISCONNECT",
		"ADDR_BOUND", "LISTEN", "DEVICE_REMOVAL", "DESTROYING"}
}

// cmID is the item of a CMIDList document. Its fields are those of rdma -j.
type cmID struct {
	Device    string           `json:"device"`
	Port      rdma.Opt[uint32] `json:"port,omitzero"`
	Number    rdma.Opt[uint32] `json:"cm_idn,omitzero"`
	State     string           `json:"state,omitzero"`
	PortSpace string           `json:"ps,omitzero"`
	QPN       rdma.Opt[uint32] `json:"lqpn,omitzero"`
	QPType    string           `json:"qp_type,omitzero"`
	RemoteQPN rdma.Opt[uint32] `json:"rqpn,omitzero"`
	QPState   string           `json:"qp_state,omitzero"`
	// PID is the process, TID its thread that made the id.
	PID  rdma.Opt[uint32] `json:"pid,omitzero"`
	TID  rdma.Opt[uint32] `json:"tid,omitzero"`
	Comm string           `json:"comm,omitzero"`
	// Source and Destination are "10.1.1.2:7174", IPv6 in brackets.
	Source      string `json:"src_addr,omitzero"`
	Destination string `json:"dst_addr,omitzero"`

	ips   []netip.Addr     // of both ends, without zone
	index rdma.Opt[uint32] // of the device
}

func newCMID(device string, id *cmv1.ConnectionID) cmID {
	out := cmID{
		Device: device, Port: opt(id.Port), Number: opt(id.CmIdn),
		State: id.GetState(), PortSpace: id.GetPortSpace(),
		QPN: opt(id.Lqpn), QPType: id.GetQpType(), RemoteQPN: opt(id.Rqpn), QPState: id.GetQpState(),
		PID: opt(id.Pid), TID: opt(id.Tid), Comm: id.GetComm(),
		Source: addressText(id.GetSource()), Destination: addressText(id.GetDestination()),
	}
	for _, end := range []*cmv1.Address{id.GetSource(), id.GetDestination()} {
		if a, err := end.AddrPort(); err == nil && a.IsValid() {
			out.ips = append(out.ips, a.Addr().WithZone("").Unmap())
		}
	}
	return out
}

// cmList prints the ids that pass the filters.
func (inv *invocation) cmList(c *cli.Context) error {
	passes, err := newCMFilter(c)
	if err == nil {
		err = inv.onlyHere(c)
	}
	if err != nil {
		return err
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.targets(ctx, c.Args().Slice(), host.Summary)
	if err != nil {
		return err
	}
	answer, err := inv.askCMIDs(ctx, found.targets)
	if err != nil {
		return err
	}
	found.warnings = append(found.warnings, answer.warnings...)
	found.problems = append(found.problems, answer.problems...)
	items := slices.DeleteFunc(answer.items, func(id cmID) bool { return !passes(id) })
	return printResult(inv, found, output.Result[cmID]{
		Kind: "CMIDList", Items: items, Warnings: found.warnings,
		Body: output.Rows(items, cmIDColumns),
		Name: cmID.name,
		RDMA: rdmaCMIDs,
	})
}

// newCMFilter reads the flags.
func newCMFilter(c *cli.Context) (passes func(cmID) bool, err error) {
	state, pid := strings.ToUpper(c.String("state")), c.Uint("pid")
	if c.IsSet("state") && !slices.Contains(cmStates(), state) {
		return nil, &usageError{problem: "--state " + c.String("state") + ": no such state", candidates: cmStates()}
	}
	var ip netip.Addr
	if c.IsSet("ip") {
		if ip, err = netip.ParseAddr(c.String("ip")); err != nil {
			return nil, usagef("--ip %s: not an IPv4 or IPv6 address", c.String("ip"))
		}
		ip = ip.WithZone("").Unmap()
	}
	return func(id cmID) bool {
		owner, known := id.PID.Get()
		return (state == "" || id.State == state) &&
			(!c.IsSet("pid") || known && uint(owner) == pid) &&
			(!ip.IsValid() || slices.Contains(id.ips, ip))
	}, nil
}

// askCMIDs asks for the ids of targets, by way of a cm client that is added to
// their devices for the purpose.
func (inv *invocation) askCMIDs(ctx context.Context, targets []target) (all cmAnswer[cmID], err error) {
	if len(targets) == 0 {
		return all, nil // and no process was started for nothing
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openCM(ctx, devicesOf(targets))
	if err != nil {
		return all, orInterruption(ctx, err)
	}
	all = askEach(targets, "list CM ids", func(t target, a *cmAnswer[cmID]) error {
		request, err := s.request(t)
		if err != nil {
			return err
		}
		stream, err := s.ListIDs(ctx, request)
		if err != nil {
			return err
		}
		return receiveAll(stream, func(list *cmv1.IDList) {
			for _, id := range list.GetIds() {
				item := newCMID(list.GetDevice(), id)
				item.index = t.device.Index
				a.items = append(a.items, item)
			}
			a.warnings = append(a.warnings, cmv1.RDMAWarnings(list.GetWarnings())...)
		})
	})
	all.warnings = append(all.warnings, s.close()...)
	return all, orInterruption(ctx, nil)
}

// name returns the port that the id is bound to, as an argument of ibctl.
func (id cmID) name() string {
	if port, ok := id.Port.Get(); ok {
		return fmt.Sprintf("%s/%d", id.Device, port)
	}
	return id.Device
}

// peer is the destination for people: a listener has none.
func (id cmID) peer() string {
	if a, err := netip.ParseAddrPort(id.Destination); err == nil && a.Addr().IsUnspecified() {
		return ""
	}
	return id.Destination
}

var cmIDColumns = []output.Column[cmID]{
	{Header: "DEVICE", Cell: func(id cmID) string { return id.Device }},
	{Header: "PORT", Cell: func(id cmID) string { return text(id.Port) }, Right: true},
	{Header: "ID", Cell: func(id cmID) string { return text(id.Number) }, Right: true, Wide: true},
	{Header: "STATE", Cell: func(id cmID) string { return id.State }},
	{Header: "PS", Cell: func(id cmID) string { return id.PortSpace }},
	{Header: "SOURCE", Cell: func(id cmID) string { return id.Source }},
	{Header: "DESTINATION", Cell: cmID.peer},
	{Header: "QP", Cell: func(id cmID) string { return text(id.QPN) }, Right: true},
	{Header: "TYPE", Cell: func(id cmID) string { return id.QPType }, Wide: true},
	{Header: "QPSTATE", Cell: func(id cmID) string { return id.QPState }, Wide: true},
	{Header: "REMOTEQP", Cell: func(id cmID) string { return text(id.RemoteQPN) }, Right: true, Wide: true},
	{Header: "PID", Cell: func(id cmID) string { return text(id.PID) }, Right: true},
	{Header: "PROCESS", Cell: func(id cmID) string { return id.Comm }},
}
