package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/plugins/roce"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// gidAnswer is what came of asking the roce client for the tables of some ports.
type gidAnswer struct {
	items    []gidItem
	warnings []rdma.Warning
	problems problems
}

// askGIDs reads the tables that targets name, by way of a roce client that is
// added to their devices for the purpose. empty asks for empty slots, too.
func (inv *invocation) askGIDs(ctx context.Context, targets []target, empty bool) (gidAnswer, error) {
	var all gidAnswer
	if len(targets) == 0 {
		return all, nil // and no process was started for nothing
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	s, err := inv.openSession(ctx, devicesOf(targets), roce.Name)
	if err != nil {
		return all, orInterruption(ctx, err)
	}
	answers := make([]gidAnswer, len(targets))
	var asking sync.WaitGroup
	for i, t := range targets[1:] {
		asking.Go(func() { answers[1+i] = askTarget(ctx, s, t, empty) })
	}
	answers[0] = askTarget(ctx, s, targets[0], empty)
	asking.Wait()
	all.join(answers)
	all.warnings = append(all.warnings, s.close()...)
	return all, orInterruption(ctx, nil)
}

// join appends answers; a slot that two of them have is not repeated.
func (a *gidAnswer) join(answers []gidAnswer) {
	type slot struct {
		device      string
		port, index uint32
	}
	seen := map[slot]bool{}
	for _, b := range answers {
		for _, item := range b.items {
			if s := (slot{item.Device, item.Port, item.Index}); !seen[s] {
				seen[s] = true
				a.items = append(a.items, item)
			}
		}
		a.warnings = append(a.warnings, b.warnings...)
		a.problems = append(a.problems, b.problems...)
	}
}

// askTarget asks for the tables of one device, or for a part of them.
func askTarget(ctx context.Context, s session, t target, empty bool) gidAnswer {
	var a gidAnswer
	if err := a.fillIn(ctx, s, t, empty); err != nil {
		a.failed(t, err)
	} else if t.index.IsKnown() && len(a.items) == 0 {
		a.failed(t, &emptySlotError{t.name()})
	}
	return a
}

// failed notes that a target could not be read. A device that went away since
// it was listed, or is drained, is missed only by those who asked for it by name.
func (a *gidAnswer) failed(t target, err error) {
	if !t.named && (isGone(err) || isOutOfService(err)) {
		a.warnings = append(a.warnings, rdma.Warning{Object: t.name(), Op: "read GIDs", Err: err})
		return
	}
	a.problems = append(a.problems, err)
}

func (a *gidAnswer) fillIn(ctx context.Context, s session, t target, empty bool) error {
	id, err := s.device(roce.Name, t.device)
	if err != nil {
		return err
	}
	request := &rocev1.ListGIDsRequest{Device: id, Port: pointer(t.port), Index: pointer(t.index), IncludeEmpty: empty}
	return plainStatus(a.receive(ctx, s.conn(roce.Name), request, t))
}

// receive takes the tables as they come.
func (a *gidAnswer) receive(ctx context.Context, conn grpc.ClientConnInterface, request *rocev1.ListGIDsRequest, t target) error {
	stream, err := rocev1.NewRoCEClient(conn).ListGIDs(ctx, request)
	if err != nil {
		return err
	}
	for {
		table, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		entries, err := table.Entries()
		if err != nil {
			return err
		}
		for _, e := range entries {
			a.items = append(a.items, newGIDItem(e, t.linkLayer(e.Port)))
		}
		a.warnings = append(a.warnings, table.RDMAWarnings()...)
	}
}

// pointer returns a value as protobuf wants an optional field.
func pointer(o rdma.Opt[uint32]) *uint32 {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

// plainStatus takes gRPC's own words off an error; its code stays.
func plainStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*pluginv1.RemoteError](err); ok {
		return err
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		return &pluginv1.RemoteError{Code: s.Code(), Message: s.Message()}
	}
	return err
}

// emptySlotError is a slot that was asked for and holds no GID.
type emptySlotError struct{ name string }

// Error implements error.
func (e *emptySlotError) Error() string { return e.name + ": the slot is empty" }
