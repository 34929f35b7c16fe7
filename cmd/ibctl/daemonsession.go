package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/core/rdma"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// daemonSession is a session with the clients that ibctl serve has loaded.
type daemonSession struct {
	daemon *daemonConn
	loaded []*apiv1.Client
}

// open looks for the clients called names.
func (d *daemonConn) open(ctx context.Context, names []string) (session, error) {
	reply, err := d.ListClients(ctx, &apiv1.ListClientsRequest{})
	if err != nil {
		return nil, plainStatus(err)
	}
	s := &daemonSession{d, reply.GetClients()}
	for _, name := range names {
		if err := s.check(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// check makes sure that a client runs.
func (s *daemonSession) check(name string) error {
	c := s.client(name)
	switch {
	case c == nil:
		return &pluginv1.RemoteError{Code: codes.Unavailable,
			Message: fmt.Sprintf("client %s is not loaded in ibctl serve; ibctl client load %s loads it", name, name)}
	case c.GetPid() != 0:
		return nil
	}
	text := fmt.Sprintf("client %s of ibctl serve does not run (%s)", name, c.GetState())
	if err := c.GetLastError().Err(); err != nil {
		text += ": " + err.Error()
	}
	return &pluginv1.RemoteError{Code: codes.Unavailable, Message: text}
}

func (s *daemonSession) client(name string) *apiv1.Client {
	i := slices.IndexFunc(s.loaded, func(c *apiv1.Client) bool { return c.GetName() == name })
	if i < 0 {
		return nil
	}
	return s.loaded[i]
}

// device implements session.
func (s *daemonSession) device(client string, d rdma.Device) (*pluginv1.DeviceID, error) {
	for _, a := range s.client(client).GetDevices() {
		if !isAbout(a, d) {
			continue
		}
		if err := a.GetError().Err(); err != nil {
			return nil, err
		}
		if state := core.AttachState(a.GetState()); state != core.AttachAttached {
			return nil, fmt.Errorf("client %s on %s: %s: %w", client, d.Name, state, syscall.EAGAIN)
		}
		return a.GetId(), nil
	}
	return nil, notAttached(client, d)
}

// isAbout tells whether an attachment is to a device that was just listed. The
// index outlives a rename.
func isAbout(a *apiv1.Attachment, d rdma.Device) bool {
	if index, ok := d.Index.Get(); ok {
		return a.GetId().GetIndex() == index
	}
	return a.GetDevice() == d.Name
}

// conn implements session.
func (s *daemonSession) conn(client string) grpc.ClientConnInterface { return s.daemon.Client(client) }

// close implements session. The clients stay where they are.
func (s *daemonSession) close() []rdma.Warning { return nil }

// clients implements session.
func (s *daemonSession) clients() (items []clientItem, warnings []rdma.Warning) {
	for _, c := range s.loaded {
		item := clientItem{
			Name: c.GetName(), State: supervisor.State(c.GetState()), Version: c.GetVersion(), PID: int(c.GetPid()),
			Guarantee: c.GetGuarantee(), Lost: c.GetLost(), Devices: []attachedDevice{},
			Since: rdma.Known(time.Unix(0, c.GetSinceUnixNano())), Restarts: rdma.Known(c.GetRestarts()),
		}
		if err := c.GetLastError().Err(); err != nil {
			item.LastError = err.Error()
		}
		for _, a := range c.GetDevices() {
			if err := a.GetError().Err(); err != nil {
				warnings = append(warnings, rdma.Warning{Object: a.GetDevice(), Op: "add client " + c.GetName(), Err: err})
			} else if core.AttachState(a.GetState()) == core.AttachAttached {
				item.Devices = append(item.Devices, newAttachedDevice(a.GetDevice(), a.GetId().ID()))
			}
		}
		slices.SortFunc(item.Devices, byName)
		items = append(items, item)
	}
	return items, warnings
}
