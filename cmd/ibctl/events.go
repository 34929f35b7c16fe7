package main

import (
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/journal"
	"github.com/ibctl/ibctl/internal/output"
)

func eventsCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "events", Category: categoryShow, Usage: "what happens to devices and clients, as it happens",
		Description: `Shows what ibctl serve sees and does, until interrupted or --timeout passes. Without
ibctl serve it follows the devices itself, and there are no clients.`,
		UsageText: "ibctl events\tfrom now on\n" +
			"ibctl events --since-boot\twhat ibctl serve has seen since its start, first\n" +
			"ibctl events --since-boot --no-follow -o json\tonly that, as one document\n" +
			"ibctl events -o jsonl\tan object a line, for a program\n" +
			"ibctl events -o rdma-json\tthe kernel's own, as rdma -j monitor",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "since-boot", Usage: "begin with what ibctl serve has kept since it started"},
			&cli.BoolFlag{Name: "no-follow", Usage: "do not wait for more; with --since-boot"},
		},
		Action: inv.events,
	}
}

// eventSource is where events come from. Next returns io.EOF where there are no
// more, and a [*journal.MissedError] in place of what was lost.
type eventSource interface {
	Next(ctx context.Context) (journal.Event, error)
}

func (inv *invocation) events(c *cli.Context) error {
	replay, follow := c.Bool("since-boot"), !c.Bool("no-follow")
	whole := inv.format == output.JSON || inv.format == output.YAML
	switch err := noArguments(c); {
	case err != nil:
		return err
	case inv.root != "":
		return usagef("nothing happens in a captured tree: events does not go with --root")
	case !follow && !replay:
		return usagef("--no-follow without --since-boot shows nothing")
	case follow && whole:
		return usagef("-o %s is one document, and events go on: use -o jsonl, or --since-boot with --no-follow", inv.format)
	case replay && inv.format == output.RDMAJSON:
		return usagef("-o %s is what the kernel sends from now on: it does not go with --since-boot", inv.format)
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	ctx, stop := interruptible(ctx)
	defer stop()
	if inv.format == output.RDMAJSON {
		return inv.kernelEvents(ctx)
	}
	source, stopSource, err := inv.openEvents(ctx, replay, follow)
	if err != nil {
		return orInterruption(ctx, err)
	}
	defer stopSource()
	if whole {
		return inv.printKept(ctx, source)
	}
	return ended(ctx, inv.printFollowed(ctx, source))
}

// openEvents asks ibctl serve for its events, or follows the devices here.
func (inv *invocation) openEvents(ctx context.Context, replay, follow bool) (eventSource, func(), error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, nil, err
	}
	if d != nil {
		source, err := d.watch(ctx, replay, follow)
		return source, func() {}, err
	}
	if !follow {
		_, err := inv.needDaemon(ctx) // nothing is kept here
		return nil, nil, err
	}
	return inv.followHere(ctx)
}

// printKept prints all there is as one document.
func (inv *invocation) printKept(ctx context.Context, source eventSource) error {
	var items []journal.Event
	warnings := inv.notes
	for {
		e, err := source.Next(ctx)
		switch missed, lost := errors.AsType[*journal.MissedError](err); {
		case errors.Is(err, io.EOF):
			return output.Print(inv.printer(), eventList(items, warnings))
		case lost:
			warnings = append(warnings, missedEvents(missed))
		case err != nil:
			return orInterruption(ctx, plainStatus(err))
		default:
			items = append(items, e)
		}
	}
}

// printFollowed prints events as they come.
func (inv *invocation) printFollowed(ctx context.Context, source eventSource) error {
	p := inv.printer()
	p.Warn(inv.notes...)
	for {
		e, err := source.Next(ctx)
		switch missed, lost := errors.AsType[*journal.MissedError](err); {
		case errors.Is(err, io.EOF):
			return nil
		case lost:
			p.Warn(missedEvents(missed))
			continue
		case err != nil:
			return plainStatus(err)
		}
		if err := output.Print(p, eventList([]journal.Event{e}, nil)); err != nil {
			return err
		}
		p.NoHeaders = true // one line of them is enough
	}
}

func missedEvents(err *journal.MissedError) rdma.Warning {
	return rdma.Warning{Object: "events", Op: "read", Err: err}
}
