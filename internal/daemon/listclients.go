package daemon

import (
	"context"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
	"github.com/ibctl/ibctl/internal/api/apiv1"
	"github.com/ibctl/ibctl/internal/supervisor"
)

// ListClients implements apiv1.DaemonServer.
func (s *service) ListClients(context.Context, *apiv1.ListClientsRequest) (*apiv1.ListClientsResponse, error) {
	attached := s.attachments()
	reply := new(apiv1.ListClientsResponse)
	for _, m := range s.clients.managers() {
		c := newClient(m.Status())
		c.Devices = attached[c.GetName()]
		reply.Clients = append(reply.Clients, c)
	}
	return reply, nil
}

func newClient(s supervisor.Status) *apiv1.Client {
	c := &apiv1.Client{
		Name:          s.Name,
		State:         string(s.State),
		SinceUnixNano: s.Since.UnixNano(),
		Version:       s.Version,
		Pid:           uint32(s.PID),
		Restarts:      uint32(s.Restarts),
		LastError:     pluginv1.NewError(s.LastError),
	}
	if s.PID != 0 {
		c.Guarantee, c.Lost = s.Guarantee.String(), s.Guarantee.Lost()
	}
	return c
}

// attachments returns who is on what, by client. A device that is leaving has no
// name any more.
func (d *daemon) attachments() map[string][]*apiv1.Attachment {
	names := map[core.ID]string{}
	for _, dev := range d.registry.Devices() {
		names[dev.ID] = dev.Info.Name
	}
	byClient := map[string][]*apiv1.Attachment{}
	for _, a := range d.registry.Attachments() {
		byClient[a.Client] = append(byClient[a.Client], &apiv1.Attachment{
			Id: d.deviceID(a.Device), Device: names[a.Device], State: string(a.State), Error: pluginv1.NewError(a.Err),
		})
	}
	return byClient
}
