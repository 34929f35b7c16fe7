package main

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
)

// kernelEvents prints the kernel's own events as rdma -j monitor does, until it is
// interrupted or the time is up: then it ends the array.
func (inv *invocation) kernelEvents(ctx context.Context) (err error) {
	events, err := host.OpenKernelEvents(ctx)
	if err != nil {
		return orInterruption(ctx, err)
	}
	defer events.Close() //nolint:errcheck // nothing was written
	p := inv.printer()
	array := output.NewArray(p)
	for {
		e, err := events.Next(ctx)
		switch {
		case err == nil:
			if err := array.Add(rdmaEvent(e)); err != nil {
				return err
			}
		case host.EventsGoOn(err):
			p.Warn(rdma.Warning{Object: "events", Op: "read", Err: err})
		default:
			return errors.Join(array.Close(), ended(ctx, err))
		}
	}
}
