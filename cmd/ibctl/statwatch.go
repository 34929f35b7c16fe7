package main

import (
	"context"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/output"
)

// watchStats prints what changed since it last looked, until it is interrupted,
// which is how it is meant to end, or has looked often enough. The first look
// only sets the mark. What the arguments name is found anew when some of it has
// gone.
func (inv *invocation) watchStats(ctx context.Context, r *counters.Reader, args []string, filter statFilter, interval time.Duration, count uint) error {
	found, before, err := inv.readStats(ctx, r, args)
	if err != nil || len(found.problems) > 0 {
		return ended(ctx, firstOf(err, found.problems))
	}
	p := inv.printer()
	p.Warn(found.warnings...)
	turns := time.NewTicker(interval)
	defer turns.Stop()
	for looked := uint(0); count == 0 || looked < count; looked++ {
		select {
		case <-turns.C:
		case <-ctx.Done():
			return ended(ctx, nil)
		}
		answer := askStats(ctx, r, found.targets)
		if len(answer.problems)+len(answer.warnings) > 0 && ctx.Err() == nil {
			if found, answer.items, err = inv.readStats(ctx, r, args); err != nil || len(found.problems) > 0 {
				return ended(ctx, firstOf(err, found.problems))
			}
		}
		if err := inv.printStatChanges(&p, filter.apply(statChanges(before, answer.items))); err != nil {
			return err
		}
		before = answer.items
	}
	return nil
}

// firstOf returns err, or what is else to be told.
func firstOf(err error, p problems) error {
	if err == nil && len(p) > 0 {
		return p
	}
	return err
}

func (inv *invocation) printStatChanges(p *output.Printer, changed []statItem) error {
	if len(changed) == 0 && !p.Format.Structured() {
		return nil // a table of nothing says nothing
	}
	return output.Print(*p, output.Result[statItem]{
		Kind: "CounterList", Items: changed,
		Body: output.Rows(changed, statRateColumns),
		Name: statItem.name,
	})
}

// statKey is what stays the same of a counter from one look to the next: the
// counters of a device that comes back under its name are others.
type statKey struct {
	device string
	index  rdma.Opt[uint32]
	port   rdma.Opt[uint32]
	name   string
	source counters.Source
}

func (i statItem) key() statKey { return statKey{i.Device, i.index, i.Port, i.Name, i.Source} }

// statChanges returns the counters that are not as they were, with rates. One
// that counts from zero again has no rate.
func statChanges(before, now []statItem) []statItem {
	was := map[statKey]statItem{}
	for _, b := range before {
		was[b.key()] = b
	}
	var changed []statItem
	for _, i := range now {
		b, known := was[i.key()]
		if !known || b.Value == i.Value {
			continue
		}
		i.Time = rdma.Known(i.at)
		i.Rate = perSecond(rdma.Known(b.Value), rdma.Known(i.Value), i.at.Sub(b.at).Seconds())
		changed = append(changed, i)
	}
	return changed
}
