package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
)

// resQuery is what a verb of res is asked for.
type resQuery struct {
	inv    *invocation
	reader *resources.Reader
	args   []string
	kinds  []resources.Kind
	filter resources.Filter
	by     string
	raw    bool // with the driver's own record of each object
}

// ask runs do with a query made of the flags and arguments.
func (inv *invocation) ask(c *cli.Context, kinds []resources.Kind, filter resources.Filter, do func(context.Context, *resQuery) error) error {
	if err := errors.Join(inv.onlyHere(c), inv.checkWatch(c)); err != nil {
		return err
	}
	by := c.String("by")
	if c.IsSet("by") && !slices.Contains(resources.SumKeys(), by) {
		return &usageError{problem: "--by " + by + ": cannot sum up by that", candidates: resources.SumKeys()}
	}
	if c.IsSet("by") && inv.format == output.RDMAJSON {
		return usagef("--by has no form -o %s, for rdma cannot sum up", inv.format)
	}
	if c.Bool("raw") && (c.IsSet("by") || c.Bool("watch")) {
		return usagef("--raw shows single objects, once: it goes neither with --by nor with --watch")
	}
	ctx, cancel := inv.limit(c.Context)
	defer cancel()
	reader, err := resources.Open(resources.Options{DriverObjects: c.Bool("all")})
	if err != nil {
		return err
	}
	defer reader.Close() //nolint:errcheck // nothing was written
	return do(ctx, &resQuery{inv: inv, reader: reader, args: c.Args().Slice(), kinds: kinds, filter: filter, by: by, raw: c.Bool("raw")})
}

func (inv *invocation) resList(c *cli.Context) error {
	return inv.ask(c, resources.Kinds(), nil, func(ctx context.Context, q *resQuery) error {
		if q.by != "" {
			return q.run(ctx, c, q.sums, sumView(q.by))
		}
		return q.run(ctx, c, q.counts, countView)
	})
}

func (inv *invocation) resKind(k resources.Kind) cli.ActionFunc {
	return func(c *cli.Context) error {
		filter, err := newFilter(c, k)
		if err != nil {
			return err
		}
		return inv.ask(c, []resources.Kind{k}, filter, func(ctx context.Context, q *resQuery) error {
			if q.by != "" {
				return q.run(ctx, c, q.sums, sumView(q.by))
			}
			if q.raw {
				return q.run(ctx, c, q.list, rawView(k))
			}
			return q.run(ctx, c, q.list, objectView(k, c.Bool("all")))
		})
	}
}

// run prints what look finds, once or again and again.
func (q *resQuery) run(ctx context.Context, c *cli.Context, look lookFunc[resources.Attrs], v view[resources.Attrs]) error {
	if c.Bool("watch") {
		return watch(ctx, q.inv, newPace(c), look, v)
	}
	collectSeldom()
	f, items, err := look(ctx)
	if err != nil {
		return err
	}
	return printResult(q.inv, f, v.result(items, f.warnings))
}

// find finds the devices, and refuses a port where objects have none.
func (q *resQuery) find(ctx context.Context) (found, error) {
	f, err := q.inv.targets(ctx, q.args, host.Summary)
	if err != nil {
		return f, err
	}
	for _, t := range f.targets {
		if t.given && !(len(q.kinds) == 1 && hasKey(q.kinds[0], "port")) {
			return f, usagef("%s: these objects belong to a device, not to a port", t.name())
		}
		if t.index.IsKnown() {
			return f, usagef("%s: want DEV or DEV/PORT", t.name())
		}
	}
	return f, nil
}

// each asks about every target. A device that goes away meanwhile is missed only
// by those who asked for it by name.
func each[T any](f *found, op string, ask func(target) ([]T, error)) []T {
	var all cmAnswer[T]
	for _, t := range f.targets {
		items, err := ask(t)
		all.items = append(all.items, items...)
		if err != nil {
			all.fail(t, op, fmt.Errorf("%s: %w", t.name(), err))
		}
	}
	f.warnings, f.problems = append(f.warnings, all.warnings...), append(f.problems, all.problems...)
	return all.items
}

func (q *resQuery) counts(ctx context.Context) (found, []resources.Attrs, error) {
	f, err := q.find(ctx)
	if err != nil {
		return f, nil, err
	}
	items := each(&f, "count objects", func(t target) ([]resources.Attrs, error) {
		counts, err := q.reader.Counts(ctx, t.device)
		if counts == nil {
			return nil, err
		}
		return []resources.Attrs{counts}, err
	})
	return f, items, nil
}

// objects lists what passes the filter.
func (q *resQuery) objects(ctx context.Context) (found, []resources.Object, error) {
	q.reader.Forget()
	f, err := q.find(ctx)
	if err != nil {
		return f, nil, err
	}
	var all []resources.Object
	for _, k := range q.kinds {
		all = append(all, each(&f, "list objects of kind "+string(k), func(t target) ([]resources.Object, error) {
			return q.listOf(ctx, k, t)
		})...)
	}
	return f, all, nil
}

// listOf lists one kind. Where several are listed, one that this kernel does not
// tell of is not missed.
func (q *resQuery) listOf(ctx context.Context, k resources.Kind, t target) ([]resources.Object, error) {
	all, err := q.reader.List(ctx, k, t.device)
	if len(q.kinds) > 1 && errors.Is(err, resources.ErrUnsupported) {
		err = nil
	}
	all = slices.DeleteFunc(all, func(o resources.Object) bool { return !t.hasObject(o) || !q.filter.Passes(o) })
	if q.raw {
		err = errors.Join(err, q.reader.AddRaw(ctx, t.device, all))
	}
	return all, err
}

// hasObject tells whether an object is at the port that the argument gave.
func (t target) hasObject(o resources.Object) bool {
	if !t.given {
		return true
	}
	port, ok := o.Uint("port")
	return ok && rdma.Known(uint32(port)) == t.port
}

func (q *resQuery) list(ctx context.Context) (found, []resources.Attrs, error) {
	f, all, err := q.objects(ctx)
	items := make([]resources.Attrs, len(all))
	for i, o := range all {
		items[i] = o.Attrs
	}
	return f, items, err
}

func (q *resQuery) sums(ctx context.Context) (found, []resources.Attrs, error) {
	f, all, err := q.objects(ctx)
	return f, resources.Sum(all, q.by), err
}
