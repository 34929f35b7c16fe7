package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
)

// followSession is an ownSession whose registry follows the kernel: devices come and
// go while the command runs. Its method device knows none of them.
type followSession struct {
	*ownSession
	host    *host.Host
	cancel  context.CancelFunc
	working sync.WaitGroup
}

// openFollowing opens a session whose clients are on all devices there are at any
// time. It returns when they are on those that are there now. close must follow where
// it returns no error.
func (inv *invocation) openFollowing(ctx context.Context, names ...string) (session, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, err
	}
	if d != nil {
		return d.open(ctx, names)
	}
	own, err := inv.openOwnSession(ctx, nil, names)
	if err != nil {
		return nil, err
	}
	s := &followSession{ownSession: own.(*ownSession)}
	if err := s.follow(ctx, inv); err != nil {
		inv.printer().Warn(s.close()...)
		return nil, err
	}
	return s, nil
}

// follow returns when the devices that are there are registered.
func (s *followSession) follow(ctx context.Context, inv *invocation) (err error) {
	if s.host, err = host.Open(host.Options{}); err != nil {
		return err
	}
	following, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	synced := make(chan struct{})
	options := host.FollowOptions{Synced: func() { close(synced) }, Report: func(err error) {
		if inv.verbose {
			inv.printer().Warn(rdma.Warning{Object: "devices", Op: "follow", Err: err})
		}
	}}
	s.working.Go(func() { _ = s.host.Follow(following, s.registry, options) })
	select {
	case <-synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("follow the devices: %w", ctx.Err())
	}
}

// close implements session.
func (s *followSession) close() (warnings []rdma.Warning) {
	if s.cancel != nil {
		s.cancel()
		s.working.Wait()
	}
	for _, d := range s.registry.Devices() {
		s.devices[d.ID] = d.Info
	}
	warnings = s.ownSession.close()
	if s.host != nil {
		_ = s.host.Close()
	}
	return warnings
}
