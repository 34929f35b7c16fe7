package roce

import (
	"encoding/json"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// AuditGIDs implements [rocev1.AuditServer].
func (a *auditor) AuditGIDs(req *rocev1.AuditGIDsRequest, stream grpc.ServerStreamingServer[rocev1.PortAudit]) error {
	ctx := stream.Context()
	chosen := a.choose(ctx, req.GetPorts())
	var reports []survey.Report
	var netdevs []byte
	if len(chosen.ports) > 0 {
		s, found, err := a.settled(ctx, chosen.ports)
		if err != nil {
			return pluginv1.ToStatus(err)
		}
		reports = found
		reports[0].Warnings = append(s.Warnings, reports[0].Warnings...)
		if req.GetIncludeNetdevs() {
			if netdevs, err = json.Marshal(newRecording(s)); err != nil {
				return err
			}
		}
	}
	for target := range req.GetPorts() {
		if err := chosen.failures[target]; err != nil {
			if err := stream.Send(&rocev1.PortAudit{Target: uint32(target), Severity: gidrules.Unknown.String(), Error: pluginv1.NewError(err)}); err != nil {
				return err
			}
		}
		for i, p := range chosen.ports {
			if p.target != target {
				continue
			}
			out := newPortAudit(target, reports[i])
			out.Netdevs, netdevs = netdevs, nil
			if err := stream.Send(out); err != nil {
				return err
			}
		}
	}
	return nil
}

func newPortAudit(target int, r survey.Report) *rocev1.PortAudit {
	out := &rocev1.PortAudit{
		Target: uint32(target), Device: r.Device, Port: r.Port, Netdev: r.Netdev,
		Slots: uint32(r.Slots), Used: uint32(r.Used), Expected: uint32(r.Expected), Severity: r.Severity.String(),
		Warnings: rocev1.NewWarnings(r.Warnings), Error: pluginv1.NewError(r.Err),
	}
	for _, t := range r.Types {
		out.Types = append(out.Types, string(t))
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, newFinding(f))
	}
	return out
}

func newFinding(f gidrules.Finding) *rocev1.Finding {
	out := &rocev1.Finding{
		Kind: string(f.Kind), Severity: f.Severity.String(), Type: string(f.Type), Netdev: f.Netdev, Cause: string(f.Cause),
		Evidence: f.Evidence, Consequence: f.Consequence, Mend: f.Mend, Chain: f.Chain, With: f.With,
	}
	if gid, ok := f.GID.Get(); ok {
		out.Gid = gid[:]
	}
	if index, ok := f.Index.Get(); ok {
		out.Index = &index
	}
	return out
}
