package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/output"
)

// What a watched thing does.
const (
	changePresent = "present" // it was there when the watching began
	changeNew     = "new"
	changeChanged = "changed"
	changeGone    = "gone"
)

// watchFlags are those of verbs that can go on looking; what says what they do
// then.
func watchFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "go on, and " + what},
		&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Value: time.Second, Usage: "with --watch, look every `DURATION`"},
		&cli.UintFlag{Name: "count", Aliases: []string{"c"}, Usage: "with --watch, stop after looking `N` times"},
	}
}

// checkWatch refuses what does not go together.
func (inv *invocation) checkWatch(c *cli.Context) error {
	watch := c.Bool("watch")
	switch {
	case !watch && (c.IsSet("interval") || c.IsSet("count")):
		return usagef("--interval and --count go with --watch")
	case watch && c.Duration("interval") <= 0:
		return usagef("--interval %v: want more than nothing", c.Duration("interval"))
	case watch && inv.root != "":
		return usagef("--watch has nothing to see in a captured tree")
	case watch && (inv.format == output.JSON || inv.format == output.YAML || inv.format == output.RDMAJSON):
		return usagef("--watch has no end that a document could have: use -o jsonl")
	}
	return nil
}

// pace is how often to look.
type pace struct {
	interval time.Duration
	count    uint // 0: without end
}

func newPace(c *cli.Context) pace { return pace{c.Duration("interval"), c.Uint("count")} }

// lookFunc reads what there is now.
type lookFunc[T any] func(context.Context) (found, []T, error)

// view is how items are shown, and followed.
type view[T any] struct {
	kind    string
	columns []output.Column[T]
	name    func(T) string
	// key tells one item from the others, same whether one has changed.
	key  func(T) string
	same func(a, b T) bool
	// mark notes in an item what became of it, and marks are the columns for that.
	mark  func(item T, at time.Time, change string) T
	marks []output.Column[T]
	rdma  func([]T) []output.Object // for -o rdma-json; nil if there is no such form
	body  func([]T) output.Body     // what people see instead of columns; nil as a rule
}

func (v view[T]) result(items []T, warnings []rdma.Warning) output.Result[T] {
	r := output.Result[T]{Kind: v.kind, Items: items, Warnings: warnings, Body: output.Rows(items, v.columns), Name: v.name, RDMA: v.rdma}
	if v.body != nil {
		r.Body = v.body(items)
	}
	return r
}

// watch prints what there is, and then what changes, until it is interrupted,
// which is how it is meant to end, or has looked often enough. What cannot be read
// meanwhile is a warning, and told once.
func watch[T any](ctx context.Context, inv *invocation, p pace, look lookFunc[T], v view[T]) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	turns := time.NewTicker(p.interval)
	defer turns.Stop()
	w := watcher[T]{inv: inv, view: v, told: map[string]bool{}}
	for looked := uint(1); ; looked++ {
		f, items, err := look(ctx)
		// What is gone may come back; only at first it must be there.
		if err == nil && len(f.problems) > 0 && (looked == 1 || !isGone(f.problems)) {
			err = f.problems
		}
		if err == nil {
			err = w.show(f, items)
		}
		if err != nil || looked == p.count {
			return ended(ctx, err)
		}
		select {
		case <-turns.C:
		case <-ctx.Done():
			return ended(ctx, nil)
		}
	}
}

// watcher remembers what there was.
type watcher[T any] struct {
	inv *invocation
	view[T]
	before map[string]T // nil before the first look
	order  []string
	told   map[string]bool
}

// show prints what is not as it was.
func (w *watcher[T]) show(f found, items []T) error {
	changes, before, order := w.changes(items, time.Now())
	w.before, w.order = before, order
	p := w.inv.printer()
	for _, warning := range f.warnings {
		if text := warning.Error(); !w.told[text] {
			w.told[text] = true
			p.Warn(warning)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	marked := w.view
	marked.columns = append(w.marks[:len(w.marks):len(w.marks)], w.columns...)
	return output.Print(p, marked.result(changes, nil))
}

// changes compares with what was there: first what is, in its order, then what is
// no more.
func (w *watcher[T]) changes(items []T, at time.Time) (changes []T, now map[string]T, order []string) {
	now = make(map[string]T, len(items))
	for _, item := range items {
		key := w.key(item)
		order, now[key] = append(order, key), item
		old, known := w.before[key]
		switch {
		case w.before == nil:
			changes = append(changes, w.mark(item, at, changePresent))
		case !known:
			changes = append(changes, w.mark(item, at, changeNew))
		case !w.same(old, item):
			changes = append(changes, w.mark(item, at, changeChanged))
		}
	}
	for _, key := range w.order {
		if _, there := now[key]; !there {
			changes = append(changes, w.mark(w.before[key], at, changeGone))
		}
	}
	return changes, now, order
}
