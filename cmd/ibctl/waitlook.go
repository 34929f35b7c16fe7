package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/host"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// setActive finds a port that is active.
func (i *waitItem) setActive(t target) error {
	var states []string
	for _, p := range t.device.Ports {
		if n, given := t.port.Get(); given && n != p.Number {
			continue
		}
		if p.State == rdma.Known(rdma.PortActive) {
			i.Port = rdma.Known(p.Number)
			return nil
		}
		states = append(states, fmt.Sprintf("port %d is %s", p.Number, orElse(text(p.State), "in an unknown state")))
	}
	if len(states) == 0 {
		return errNotYet("it has no port")
	}
	return errNotYet(strings.Join(states, ", "))
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// setGID finds a GID for the address: of RoCE v2 if there are several.
func (inv *invocation) setGID(ctx context.Context, item *waitItem, t target, address netip.Addr) error {
	answer, err := inv.askGIDs(ctx, []target{t}, false)
	if err == nil && len(answer.problems) > 0 {
		err = answer.problems[0]
	}
	if err != nil {
		return inv.orNotYet(err)
	}
	wanted, found := rdma.GIDFromAddr(address), false
	for _, g := range answer.items {
		if g.GID != wanted || found && g.Type != rdma.GIDTypeRoCEv2 {
			continue
		}
		item.Port, item.Index, found = rdma.Known(g.Port), rdma.Known(g.Index), true
		if g.Type == rdma.GIDTypeRoCEv2 {
			return nil
		}
	}
	if !found {
		return errNotYet("it is in none of its GID tables")
	}
	return nil
}

// orNotYet tells what passes by itself, such as the end of an ibctl serve that is
// started again, from what stays.
func (inv *invocation) orNotYet(err error) error {
	passes := either(isGone, isOutOfService, isType[*supervisor.DeadError], isStatus(codes.Unavailable))
	if !passes(err) {
		return err
	}
	inv.forgetDaemon()
	return errNotYet(err.Error())
}

// lookAgain is how often a condition is looked at although nothing has happened:
// the kernel tells nothing of a port's state, and of addresses only elsewhere.
const lookAgain = time.Second

// awaitAll waits until every condition has come about, each at a time of its own.
func (inv *invocation) awaitAll(ctx context.Context, all []awaited) (items []waitItem, err error) {
	news, stop, err := inv.deviceNews(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	began := time.Now()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for _, a := range all {
		for {
			item, err := inv.look(ctx, a)
			if err == nil {
				item.WaitedMS = float64(time.Since(began)) / float64(time.Millisecond)
				items = append(items, item)
				break
			}
			_, notYet := err.(errNotYet)
			if !notYet && ctx.Err() == nil {
				return nil, err
			}
			if inv.root != "" {
				return nil, &waitedError{a, 0, err} // a captured tree stays as it is
			}
			select {
			case <-news:
			case <-again.C:
			case <-ctx.Done():
				return nil, &waitedError{a, time.Since(began), err}
			}
		}
	}
	return items, nil
}

// deviceNews follows the devices. The channel holds a token when something has
// happened to one.
func (inv *invocation) deviceNews(ctx context.Context) (news <-chan struct{}, stop func(), err error) {
	if inv.root != "" {
		return nil, func() {}, nil
	}
	h, err := host.Open(host.Options{Detail: host.Summary})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	b := &bell{rings: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Follow(ctx, b, host.FollowOptions{Report: func(err error) { inv.log().Debug("following devices", "error", err) }})
	}()
	return b.rings, func() {
		cancel()
		<-ended
		_ = h.Close()
	}, nil
}

// bell is a registry that remembers nothing, and rings.
type bell struct{ rings chan struct{} }

func (b *bell) ring() {
	select {
	case b.rings <- struct{}{}:
	default:
	}
}

// RegisterDevice implements host.Registry.
func (b *bell) RegisterDevice(_ context.Context, d rdma.Device) (core.ID, error) {
	b.ring()
	return core.ID{Index: d.Index.Or(core.NoIndex), Generation: 1}, nil
}

// UnregisterDevice implements host.Registry.
func (b *bell) UnregisterDevice(context.Context, core.ID) error { b.ring(); return nil }

// Rename implements host.Registry.
func (b *bell) Rename(context.Context, core.ID, string) error { b.ring(); return nil }

// Update implements host.Registry.
func (b *bell) Update(context.Context, core.ID, rdma.Device) error { b.ring(); return nil }
