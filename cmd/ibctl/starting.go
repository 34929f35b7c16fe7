package main

import (
	"context"
	"errors"

	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// errNotNeeded is why a plugin that was begun is not waited for.
var errNotNeeded = errors.New("not needed after all")

// starting is a plugin process on its way up, which takes longer than anything
// else that a verb does: all that are needed are begun before the first is waited for.
type starting struct {
	abort  context.CancelCauseFunc
	done   chan struct{}
	plugin *supervisor.Plugin
	err    error
}

func begin(sup *supervisor.Supervisor, spec supervisor.Spec) *starting {
	ctx, abort := context.WithCancelCause(context.Background())
	s := &starting{abort: abort, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.plugin, s.err = sup.Start(ctx, spec)
	}()
	return s
}

// wait returns when the plugin is up, or the start has failed; it fails when ctx
// ends.
func (s *starting) wait(ctx context.Context) (*supervisor.Plugin, error) {
	stop := context.AfterFunc(ctx, func() { s.abort(context.Cause(ctx)) })
	defer stop()
	<-s.done
	return s.plugin, s.err
}

// headStart begins to start the clients called names, while the verb that needs
// them still finds out on which devices. It does nothing where ibctl serve has
// them, where there is no device, and where other verbs share the session.
func (inv *invocation) headStart(ctx context.Context, names ...string) error {
	d, err := inv.askDaemon(ctx)
	if err != nil || d != nil || !inv.alone || !host.HasDevices(inv.root) {
		return err
	}
	specs, err := inv.specs(names)
	if err != nil {
		return err
	}
	if s, err := inv.newOwnSession(); err == nil { // if it fails again, that is told
		s.begin(specs)
		inv.early = s
	}
	return nil
}

// dropHeadStart ends what nobody came to need.
func (inv *invocation) dropHeadStart() {
	if inv.early != nil {
		inv.early.close()
	}
}
