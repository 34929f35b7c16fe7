package roce

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/roce/gidrules"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
	"github.com/ibctl/ibctl/plugins/roce/survey"
)

// ExplainGID implements [rocev1.AuditServer].
func (a *auditor) ExplainGID(req *rocev1.ExplainGIDRequest, stream grpc.ServerStreamingServer[rocev1.GIDExplanation]) error {
	ctx := stream.Context()
	question, err := questionOf(req)
	if err != nil {
		return err
	}
	chosen := a.choose(ctx, []*rocev1.PortSelector{{Device: req.GetDevice(), Port: req.Port}})
	if err := chosen.failures[0]; err != nil {
		return err
	}
	if question.Index.IsKnown() && len(chosen.ports) != 1 {
		return status.Error(codes.InvalidArgument, "a slot without a port")
	}
	s, _, err := a.settled(ctx, chosen.ports)
	if err != nil {
		return pluginv1.ToStatus(err)
	}
	for i, t := range s.Tables {
		if t.Err != nil && (req.Port != nil || len(s.Tables) == 1) {
			return t.Err
		}
		if index, ok := question.Index.Get(); ok && int64(index) >= int64(t.Slots) {
			return status.Errorf(codes.NotFound, "%v/%d: no such slot: the table has %d", t.PortName, index, t.Slots)
		}
		out := newExplanation(t, s.Explain(t, question, rebuild(chosen.ports)))
		if i == 0 {
			out.Warnings = append(rocev1.NewWarnings(s.Warnings), out.Warnings...)
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return nil
}

func questionOf(req *rocev1.ExplainGIDRequest) (q gidrules.Question, err error) {
	switch s := req.GetSubject().(type) {
	case *rocev1.ExplainGIDRequest_Index:
		q.Index = rdma.Known(s.Index)
	case *rocev1.ExplainGIDRequest_Gid:
		gid, ok := rocev1.RDMAGID(s.Gid).Get()
		if !ok {
			return q, status.Errorf(codes.InvalidArgument, "GID of %d octets", len(s.Gid))
		}
		q.GID = gid
	default:
		return q, status.Error(codes.InvalidArgument, "nothing to explain")
	}
	return q, nil
}

func newExplanation(t survey.Table, x gidrules.Explanation) *rocev1.GIDExplanation {
	out := &rocev1.GIDExplanation{
		Device: t.Device, Port: t.Port, PortNetdev: x.PortNetdev, Verdict: string(x.Verdict), Reason: string(x.Reason),
		Slots: rocev1.NewGIDs(x.Slots), Netdev: x.Netdev, Chain: x.Chain, Text: x.Text, Mend: x.Mend, Elsewhere: x.Elsewhere,
		Warnings: rocev1.NewWarnings(t.Warnings),
	}
	if gid, ok := x.GID.Get(); ok {
		out.Gid = gid[:]
	}
	return out
}
