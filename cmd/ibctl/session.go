package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
)

// session is where a verb finds clients on devices: in a registry of its own,
// which lasts as long as the verb, or in ibctl serve's. Its methods may be called
// by any number of goroutines at once, close excepted.
type session interface {
	// device returns the id under which a client knows a device, if it drives it.
	device(client string, d rdma.Device) (*pluginv1.DeviceID, error)
	// conn is the connection for a client's own services.
	conn(client string) grpc.ClientConnInterface
	// clients describes the clients; the warnings tell which devices did not take
	// one.
	clients() ([]clientItem, []rdma.Warning)
	// close lets go. What went wrong is told as warnings: it changes no result.
	close() []rdma.Warning
}

// openSession opens a session with the clients called names on devices. close
// must follow where it returns no error.
func (inv *invocation) openSession(ctx context.Context, devices []rdma.Device, names ...string) (session, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, err
	}
	if d != nil {
		return d.open(ctx, names)
	}
	return inv.openHere(ctx, devices, names)
}

// openHere opens a session without ibctl serve: one that is kept, if there will be
// more questions.
func (inv *invocation) openHere(ctx context.Context, devices []rdma.Device, names []string) (session, error) {
	if inv.pool != nil {
		return inv.pool.open(ctx, inv, devices, names)
	}
	return inv.openOwnSession(ctx, devices, names)
}

// openActing is openSession for verbs that do more than read, and that the kernel
// lets everybody do: who may only read from ibctl serve does them alone.
func (inv *invocation) openActing(ctx context.Context, devices []rdma.Device, names ...string) (session, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, err
	}
	if d != nil && d.mayChange {
		return d.open(ctx, names)
	}
	return inv.openHere(ctx, devices, names)
}

// openAll opens a session with all clients there are: those that ibctl serve has
// loaded, whether they run or not, or without it the built-in ones.
func (inv *invocation) openAll(ctx context.Context, devices []rdma.Device) (session, error) {
	d, err := inv.askDaemon(ctx)
	if err != nil {
		return nil, err
	}
	if d != nil {
		return d.open(ctx, nil)
	}
	return inv.openOwnSession(ctx, devices, builtins())
}

// notAttached says why a client is not on a device.
func notAttached(client string, d rdma.Device) error {
	if err := outOfService(d); err != nil {
		return err
	}
	return fmt.Errorf("client %s on %s: %w", client, d.Name, core.ErrNotAttached)
}
