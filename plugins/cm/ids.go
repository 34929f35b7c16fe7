package cm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/nldev"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// idsPerMessage keeps messages small on hosts with many thousands of connections.
const idsPerMessage = 1000

// ListIDs implements [cmv1.CMServer].
func (s *service) ListIDs(req *cmv1.DeviceRequest, stream grpc.ServerStreamingServer[cmv1.IDList]) error {
	return s.devices.Use(stream.Context(), req.GetDevice(), func(ctx context.Context, dev *plugin.Device) error {
		if _, err := portNumbers(dev.Info(), req.Port); err != nil {
			return err
		}
		ids, warnings, err := listIDs(ctx, dev)
		if err != nil {
			return withCode(err)
		}
		if req.Port != nil {
			ids = slices.DeleteFunc(ids, func(id *cmv1.ConnectionID) bool { return id.Port == nil || id.GetPort() != req.GetPort() })
		}
		return sendIDs(stream, dev.Info().Name, ids, warnings)
	})
}

func sendIDs(stream grpc.ServerStreamingServer[cmv1.IDList], device string, ids []*cmv1.ConnectionID, warnings []rdma.Warning) error {
	first := &cmv1.IDList{Device: device, Warnings: cmv1.NewWarnings(warnings)}
	for part := range slices.Chunk(ids, idsPerMessage) {
		first.Ids = part
		if err := stream.Send(first); err != nil {
			return err
		}
		first = &cmv1.IDList{Device: device}
	}
	if len(ids) > 0 {
		return nil
	}
	return stream.Send(first)
}

// listIDs reads a device's CM ids and joins them with their QPs. Without the QPs
// there are the ids still.
func listIDs(ctx context.Context, dev *plugin.Device) ([]*cmv1.ConnectionID, []rdma.Warning, error) {
	conn, err := nldev.Dial()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	var warnings []rdma.Warning
	warn := func(op string, err error) {
		warnings = append(warnings, rdma.Warning{Object: dev.Info().Name, Op: op, Err: err})
	}
	ids, err := conn.CMIDs(ctx, dev.ID().Index)
	if err != nil && !errors.Is(err, nldev.ErrMalformed) {
		return nil, nil, err
	} else if err != nil {
		warn("list CM ids", err)
	}
	qps, err := conn.QPs(ctx, dev.ID().Index)
	if err != nil {
		warn("list QPs", err)
	}
	byNumber := make(map[uint32]nldev.QP, len(qps))
	for _, qp := range qps {
		byNumber[qp.LQPN] = qp
	}
	out := make([]*cmv1.ConnectionID, 0, len(ids))
	for _, id := range ids {
		out = append(out, connectionID(id, byNumber))
	}
	return out, warnings, nil
}

func connectionID(id nldev.CMID, qps map[uint32]nldev.QP) *cmv1.ConnectionID {
	owner := ownerOf(id.Owner)
	out := &cmv1.ConnectionID{
		CmIdn:       pointer(id.IDN),
		Port:        pointer(id.Port),
		State:       textOf(id.State),
		PortSpace:   textOf(id.PortSpace),
		Lqpn:        pointer(id.LQPN),
		QpType:      textOf(id.QPType),
		Source:      endpoint(id.Source),
		Destination: endpoint(id.Destination),
		Pid:         pointer(owner.pid),
		Tid:         pointer(id.Owner.PID),
		Comm:        owner.comm,
	}
	if number, ok := id.LQPN.Get(); ok {
		qp := qps[number]
		out.Rqpn, out.QpState = pointer(qp.RQPN), textOf(qp.State)
	}
	return out
}

// process is who made an id.
type process struct {
	pid  rdma.Opt[uint32]
	comm string
}

// ownerOf finds the process behind the thread that the kernel names. A number
// that another thread has by now can't be told from the rest.
func ownerOf(owner nldev.Owner) process {
	if owner.Kernel != "" {
		return process{comm: "[" + owner.Kernel + "]"}
	}
	tid, ok := owner.PID.Get()
	if !ok {
		return process{}
	}
	pid := tgid(tid)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return process{pid: rdma.Known(pid)}
	}
	return process{rdma.Known(pid), strings.TrimSuffix(string(text), "\n")}
}

// tgid returns the process that a thread belongs to, or the thread where that
// can't be read.
func tgid(tid uint32) uint32 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return tid
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if pid, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil {
				return uint32(pid)
			}
		}
	}
	return tid
}

func endpoint(e nldev.Endpoint) *cmv1.Address {
	if e.HasGID {
		return &cmv1.Address{Gid: e.GID[:], ServiceId: e.ServiceID}
	}
	return cmv1.NewAddress(e.IP)
}

func textOf[T fmt.Stringer](o rdma.Opt[T]) string {
	if v, ok := o.Get(); ok {
		return v.String()
	}
	return ""
}
