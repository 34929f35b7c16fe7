package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

// watchCounters prints what changed since it last looked, until it is
// interrupted, which is how it is meant to end, or has looked often enough. The
// first look only sets the mark.
func (inv *invocation) watchCounters(ctx context.Context, s cmSession, f found, interval time.Duration, count uint) error {
	if len(f.problems) > 0 {
		return f.problems
	}
	inv.printer().Warn(f.warnings...)
	before := s.counters(ctx, f.targets)
	inv.printer().Warn(before.warnings...)
	turns := time.NewTicker(interval)
	defer turns.Stop()
	for looked := uint(0); count == 0 || looked < count; looked++ {
		if len(before.problems) > 0 {
			return ended(ctx, before.problems)
		}
		select {
		case <-turns.C:
		case <-ctx.Done():
			return ended(ctx, nil)
		}
		now := s.counters(ctx, f.targets)
		if err := inv.printChanges(before.items, now.items); err != nil {
			return err
		}
		before = now
	}
	return nil
}

// ended is the error of a verb that goes on until it is told to stop: by a
// signal or by --timeout. Then there is none.
func ended(ctx context.Context, err error) error {
	if _, told := errors.AsType[interruption](context.Cause(ctx)); told || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (inv *invocation) printChanges(before, now []cmCounter) error {
	changed := changes(before, now)
	p := inv.printer()
	if len(changed) == 0 && !p.Format.Structured() {
		return nil // a table of nothing says nothing
	}
	return output.Print(p, output.Result[cmCounter]{
		Kind: "CMCounterList", Items: changed,
		Body: output.Rows(changed, cmRateColumns),
		Name: func(c cmCounter) string { return c.Device + "/" + number(c.Port) },
	})
}

// changes returns the counters that are not as they were, with rates. A device
// that was registered anew counts from zero: its counters have no rate.
func changes(before, now []cmCounter) []cmCounter {
	var changed []cmCounter
	for _, c := range now {
		i := slices.IndexFunc(before, func(b cmCounter) bool {
			return b.Device == c.Device && b.Port == c.Port && b.Message == c.Message
		})
		if i < 0 || before[i].sameAs(c) {
			continue
		}
		seconds := c.at.Sub(before[i].at).Seconds()
		c.Time = rdma.Known(c.at)
		c.TxRate, c.RxRate = perSecond(before[i].TxMsgs, c.TxMsgs, seconds), perSecond(before[i].RxMsgs, c.RxMsgs, seconds)
		changed = append(changed, c)
	}
	return changed
}

func (c cmCounter) sameAs(d cmCounter) bool {
	return c.TxMsgs == d.TxMsgs && c.TxRetries == d.TxRetries && c.RxMsgs == d.RxMsgs && c.RxDuplicates == d.RxDuplicates
}

func perSecond(before, now rdma.Opt[uint64], seconds float64) rdma.Opt[float64] {
	a, knownA := before.Get()
	b, knownB := now.Get()
	if !knownA || !knownB || b < a || seconds <= 0 {
		return rdma.Opt[float64]{}
	}
	return rdma.Known(float64(b-a) / seconds)
}

func rateText(o rdma.Opt[float64]) string {
	if v, ok := o.Get(); ok {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return ""
}

var cmRateColumns = append([]output.Column[cmCounter]{
	{Header: "TIME", Cell: func(c cmCounter) string { return c.at.Format(time.TimeOnly) }},
}, append(cmCounterColumns[:len(cmCounterColumns):len(cmCounterColumns)],
	output.Column[cmCounter]{Header: "TX/S", Cell: func(c cmCounter) string { return rateText(c.TxRate) }, Right: true},
	output.Column[cmCounter]{Header: "RX/S", Cell: func(c cmCounter) string { return rateText(c.RxRate) }, Right: true},
)...)
