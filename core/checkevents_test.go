package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// events returns all that the registry has logged so far.
func (w *witness) events() []Event {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var list []Event
	for sub := w.Replay(); ; {
		ev, err := sub.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return list
		}
		if err != nil {
			panic(err) // the log is too small for the test
		}
		list = append(list, ev)
	}
}

// checkEvents replays a log that has everything in it, and returns what cannot
// be. The log is written under the registry's locks, so it is exact where the
// history, written by callers, has to allow for what happens between a call and
// its record.
func checkEvents(events []Event) []string {
	m := &model{names: map[string]ID{}, devices: map[ID]*modelDevice{}, clients: map[string]*modelClient{}}
	var last Event
	for _, ev := range events {
		m.ev = ev
		m.want(ev.Seq == last.Seq+1, "it follows %d", last.Seq)
		m.want(!ev.Time.Before(last.Time), "time runs backwards")
		m.want(ev.Took >= 0 && ev.Took < 24*time.Hour, "it took %v", ev.Took)
		m.apply(ev)
		last = ev
	}
	return m.broken
}

// model is what a reader of the log knows.
type model struct {
	ev      Event
	broken  []string
	names   map[string]ID
	devices map[ID]*modelDevice
	clients map[string]*modelClient
	order   int
}

type modelDevice struct {
	leaving bool
	service serviceState
	awaited bool
	on      []string // clients in the order of their Adds
	lastAdd int
}

type modelClient struct {
	order   int
	leaving bool
}

func (m *model) want(ok bool, format string, args ...any) {
	if !ok {
		m.broken = append(m.broken, fmt.Sprintf("event %d %s %v %s%s: ", m.ev.Seq, m.ev.Kind, m.ev.Device, m.ev.Name, m.ev.Client)+fmt.Sprintf(format, args...))
	}
}

func (m *model) apply(ev Event) {
	switch ev.Kind {
	case ClientArrived, ClientRegistered, ClientLeaving, ClientUnregistered:
		m.applyClient(ev)
		return
	case DeviceArrived:
		m.takeName(ev)
		m.devices[ev.Device] = &modelDevice{}
		return
	}
	d := m.devices[ev.Device]
	if m.want(d != nil, "no such device"); d == nil {
		return
	}
	switch ev.Kind {
	case DeviceRenamed, ClientAdded, ClientTold, ClientRemoved: // a new name, or one it had when the client was called
	default:
		m.want(m.names[ev.Name] == ev.Device, "it does not have that name")
	}
	switch ev.Kind {
	case DeviceRegistered, DeviceChanged:
		m.want(!d.leaving, "it is leaving")
	case DeviceRenamed:
		m.want(!d.leaving, "it is leaving")
		delete(m.names, ev.OldName)
		m.takeName(ev)
	case DeviceLeaving:
		m.want(!d.leaving, "again")
		d.leaving = true
	case DeviceDraining, DeviceDrained, DeviceUndrained:
		m.applyService(ev, d)
	case LeaseWait:
		m.want((d.leaving || d.service == draining) && len(d.on) == 0 && len(ev.Holders) > 0, "clients %v, holders %v", d.on, ev.Holders)
		m.want(!d.leaving || !d.awaited, "again")
		d.awaited = d.leaving
	case DeviceUnregistered:
		m.want(d.leaving && len(d.on) == 0, "clients %v", d.on)
		delete(m.devices, ev.Device)
		delete(m.names, ev.Name)
	case ClientAdded, ClientTold, ClientRemoved:
		m.applyAttachment(ev, d)
	default:
		m.want(false, "unknown kind")
	}
}

// applyService: a device is drained from its registration, or after draining.
func (m *model) applyService(ev Event, d *modelDevice) {
	m.want(!d.leaving, "it is leaving")
	switch ev.Kind {
	case DeviceDraining:
		m.want(d.service == serving, "it does not serve")
		d.service = draining
	case DeviceDrained:
		m.want(d.service == draining || d.lastAdd == 0 && ev.Took == 0, "it serves")
		m.want(len(d.on) == 0, "clients %v", d.on)
		d.service = drained
	case DeviceUndrained:
		m.want(d.service != serving && len(d.on) == 0, "state %d, clients %v", d.service, d.on)
		m.want(d.service == draining == (ev.Err != nil), "from state %d because of %v", d.service, ev.Err)
		d.service, d.lastAdd = serving, 0
	}
}

func (m *model) takeName(ev Event) {
	_, taken := m.names[ev.Name]
	m.want(!taken, "the name is taken")
	m.names[ev.Name] = ev.Device
}

func (m *model) applyClient(ev Event) {
	c := m.clients[ev.Client]
	if ev.Kind == ClientArrived {
		m.want(c == nil, "the name is taken")
		m.order++
		m.clients[ev.Client] = &modelClient{order: m.order}
		return
	}
	if m.want(c != nil, "no such client"); c == nil {
		return
	}
	switch ev.Kind {
	case ClientRegistered:
		m.want(!c.leaving, "it is leaving")
	case ClientLeaving:
		m.want(!c.leaving, "again")
		c.leaving = true
	case ClientUnregistered:
		m.want(c.leaving, "it is not leaving")
		for id, d := range m.devices {
			m.want(!slices.Contains(d.on, ev.Client), "it is on %v", id)
		}
		delete(m.clients, ev.Client)
	}
}

func (m *model) applyAttachment(ev Event, d *modelDevice) {
	c := m.clients[ev.Client]
	if m.want(c != nil, "no such client"); c == nil {
		return
	}
	on := slices.Contains(d.on, ev.Client)
	switch ev.Kind {
	case ClientAdded:
		m.want(!on, "again")
		m.want(d.service != drained, "it is drained")
		m.want(c.order > d.lastAdd, "after one that was registered later")
		d.lastAdd = c.order
		if ev.Err == nil {
			d.on = append(d.on, ev.Client)
		}
	case ClientTold:
		m.want(on && ev.Change != 0, "attached %t, change %v", on, ev.Change)
	case ClientRemoved:
		m.want(on && (d.leaving || c.leaving || d.service == draining), "attached %t, device leaving %t, client leaving %t", on, d.leaving, c.leaving)
		m.want(c.leaving || on && d.on[len(d.on)-1] == ev.Client, "not the last of %v", d.on)
		d.on = slices.DeleteFunc(d.on, func(name string) bool { return name == ev.Client })
	}
}
