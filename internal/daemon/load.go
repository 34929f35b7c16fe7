package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/internal/config"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// configured returns the clients that the configuration names, or those there
// are without one.
func (d *daemon) configured(conf config.Config) []config.Client {
	if conf.Clients != nil {
		return conf.Clients
	}
	var list []config.Client
	for _, name := range d.Builtin {
		list = append(list, config.Client{Name: name})
	}
	return list
}

// loadAll starts the clients, one after the other, so that they are added in the
// order in which they are configured. One that fails is the manager's to start
// again, and holds up nobody.
func (d *daemon) loadAll(ctx context.Context, conf config.Config) error {
	for _, c := range d.configured(conf) {
		spec, err := d.Spec(c, conf)
		if err != nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
		// Callers are answered already: one of them may have been quicker, which is as well.
		l, err := d.clients.load(ctx, spec)
		if ctx.Err() != nil {
			return nil
		}
		if l == nil {
			return fmt.Errorf("client %s: %w", c.Name, err)
		}
		select {
		case <-l.tried:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// load loads one client as the configuration has it now, and returns when it runs
// on all devices, or does not.
func (d *daemon) load(ctx context.Context, name string) error {
	spec, err := d.specOf(name)
	if err != nil {
		return err
	}
	l, err := d.clients.load(ctx, spec)
	if err != nil {
		return err
	}
	select {
	case <-l.tried:
	case <-ctx.Done():
		return fmt.Errorf("client %s is being added to devices: %w", name, ctx.Err())
	}
	if s := l.manager.Status(); s.State != supervisor.StateRunning {
		return coded(errors.Join(fmt.Errorf("client %s is loaded, and does not run (%s): %w", name, s.State, s.LastError)))
	}
	return nil
}

// specOf reads the configuration anew.
func (d *daemon) specOf(name string) (supervisor.Spec, error) {
	conf, err := d.Configure()
	if err != nil {
		return supervisor.Spec{}, coded(err)
	}
	known := d.configured(conf)
	if i := slices.IndexFunc(known, func(c config.Client) bool { return c.Name == name }); i >= 0 {
		return d.Spec(known[i], conf)
	}
	if slices.Contains(d.Builtin, name) {
		return d.Spec(config.Client{Name: name}, conf)
	}
	return supervisor.Spec{}, refusef(codes.NotFound, 0, "client %s is neither built in nor configured", name)
}
