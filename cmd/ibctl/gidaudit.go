package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

func gidAuditCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "compare GID tables with what the kernel's rules would have in them",
		ArgsUsage: argsPorts,
		Description: `Works out from the network interfaces of all network namespaces what belongs into
the table of each RoCE port, and compares. What differs is what the kernel lost
or left behind: ibctl-gid(8) tells how that comes about. The exit code is that of
a check: 0 nothing found, 1 a warning, 2 critical, 3 not known.`,
		UsageText: "ibctl gid audit\tall ports\nibctl gid audit mlx5_0/1 -j\tone port, as JSON",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "record", Usage: "write what is known of network interfaces to `FILE`, for audits of a copied tree"},
		},
		Action: inv.gidAudit,
	}
}

// gidAudit audits the ports that the arguments name, and ends with the exit code
// of a check.
func (inv *invocation) gidAudit(c *cli.Context) error {
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	found, err := inv.portTargets(ctx, c.Args().Slice())
	if err != nil {
		return err
	}
	answer, err := inv.askAudit(ctx, found.targets, c.String("record"))
	if err != nil {
		return err
	}
	found.warnings = append(found.warnings, answer.warnings...)
	found.problems = append(found.problems, answer.problems...)
	code := exitOK
	for _, item := range answer.items {
		code = worse(code, item.Status)
	}
	err = printResult(inv, found, output.Result[gidAudit]{
		Kind: "GIDAudit", Items: answer.items, Warnings: found.warnings,
		Body: auditBody(answer.items),
		Name: gidAudit.name,
	})
	if len(answer.items) == 0 && err != nil {
		return err
	}
	return verdictOf(code, err)
}

// portTargets finds what args name, where a slot is too much to name.
func (inv *invocation) portTargets(ctx context.Context, args []string) (found, error) {
	f, err := inv.targets(ctx, args, host.Summary)
	for _, t := range f.targets {
		if t.index.IsKnown() {
			return f, usagef("%s: a port is audited as a whole; ibctl gid explain takes a slot", t.name())
		}
	}
	return f, err
}

// worse returns the exit code of what is worse: one known to be wrong before one
// that is not known.
func worse(code int, status string) int {
	rank := []int{exitOK, exitUnknown, exitWarning, exitCritical}
	other := map[string]int{"ok": exitOK, "warning": exitWarning, "critical": exitCritical}
	next, ok := other[status]
	if !ok {
		next = exitUnknown
	}
	if slices.Index(rank, next) > slices.Index(rank, code) {
		return next
	}
	return code
}

// auditAnswer is what came of an audit.
type auditAnswer struct {
	record   string // file for what is known of network interfaces; empty for none
	items    []gidAudit
	warnings []rdma.Warning
	problems problems
}

// askAudit audits the ports of targets, all at the same moment.
func (inv *invocation) askAudit(ctx context.Context, targets []target, record string) (a auditAnswer, err error) {
	a.record = record
	if len(targets) == 0 {
		return a, nil
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openSession(ctx, devicesOf(targets), roce.Name)
	if err != nil {
		return a, orInterruption(ctx, err)
	}
	err = a.ask(ctx, s, targets)
	a.warnings = append(a.warnings, s.close()...)
	return a, orInterruption(ctx, err)
}

func (a *auditAnswer) ask(ctx context.Context, s session, targets []target) error {
	request := &rocev1.AuditGIDsRequest{IncludeNetdevs: a.record != ""}
	var asked []target
	for _, t := range targets {
		id, err := s.device(roce.Name, t.device)
		if err != nil {
			a.failed(t, err)
			continue
		}
		request.Ports = append(request.Ports, &rocev1.PortSelector{Device: id, Port: pointer(t.port)})
		asked = append(asked, t)
	}
	stream, err := rocev1.NewAuditClient(s.conn(roce.Name)).AuditGIDs(ctx, request)
	if err != nil {
		return plainStatus(err)
	}
	for {
		port, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return plainStatus(err)
		}
		if t := int(port.GetTarget()); t < len(asked) {
			a.take(asked[t], port)
		}
		if netdevs := port.GetNetdevs(); len(netdevs) > 0 {
			if err := os.WriteFile(a.record, netdevs, 0o644); err != nil {
				return err
			}
		}
	}
}

// take notes what was found of one port. One that is not RoCE has no rules, and
// only who asked for it is told.
func (a *auditAnswer) take(t target, port *rocev1.PortAudit) {
	if err := port.GetError().Err(); err != nil {
		a.failed(t, err)
		return
	}
	a.warnings = append(a.warnings, rocev1.RDMAWarnings(port.GetWarnings())...)
	if t.linkLayer(port.GetPort()) == rdma.LinkLayerInfiniBand || isIWARP(t) {
		if t.named {
			a.failed(t, usagef("%s/%d is no RoCE port: no network interface fills its table", port.GetDevice(), port.GetPort()))
		}
		return
	}
	item := newGIDAudit(port)
	if !slices.ContainsFunc(a.items, func(other gidAudit) bool { return other.name() == item.name() }) {
		a.items = append(a.items, item)
	}
}

func isIWARP(t target) bool { return t.device.Protocol == rdma.ProtocolIWARP }

func (a *auditAnswer) failed(t target, err error) {
	if !t.named && isGone(err) {
		a.warnings = append(a.warnings, rdma.Warning{Object: t.name(), Op: "audit GIDs", Err: err})
		return
	}
	a.problems = append(a.problems, err)
}
