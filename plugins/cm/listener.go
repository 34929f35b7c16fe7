package cm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ibctl/ibctl/internal/ucma"
	"github.com/ibctl/ibctl/plugins/cm/cmv1"
)

// listener answers pings on the addresses of the attached devices.
//
// It binds one id to each address and never one to all: for an id that listens
// on any address the kernel makes one of its own on every device, those included
// that the client was removed from.
type listener struct {
	client  *Client
	channel *ucma.Channel
	only    netip.Addr // invalid: all addresses
	port    uint16
	host    string
	events  chan *cmv1.ListenEvent

	mu   sync.Mutex // held while an id is made, used or destroyed; never during a call of others
	held map[uint64]*held
}

// held is one id that listens.
type held struct {
	id      *ucma.ID
	address netip.AddrPort
	device  *device
	who     Identity
}

// backlog is how many requests may wait unread.
const backlog = 64

// eventsKept is how many events may wait for a slow reader; the rest is lost, as
// answering must not wait for anyone.
const eventsKept = 256

func newListener(c *Client, only netip.Addr, port uint16, host string) (*listener, error) {
	channel, err := ucma.Open()
	if err != nil {
		return nil, err
	}
	return &listener{
		client: c, channel: channel, only: only, port: port, host: host,
		events: make(chan *cmv1.ListenEvent, eventsKept),
		held:   map[uint64]*held{},
	}, nil
}

// join takes up the addresses of a device that are not listened on yet, and
// lets go of those that the device has no longer.
func (l *listener) join(ctx context.Context, dev *device) {
	release, attached := l.client.fleet.hold(dev)
	if !attached {
		return
	}
	defer release()
	for done := false; !done && ctx.Err() == nil; {
		removed := l.client.fleet.removed()
		wanted, err := l.client.addresses(ctx, dev, l.only)
		if err != nil {
			l.warn(dev.name(), "list addresses", err)
			return
		}
		done = l.update(dev, wanted, removed)
	}
}

// update does nothing, and says so, if a device has left since there were that
// many removals: then an address may have become that device's alone.
func (l *listener) update(dev *device, wanted addresses, removed uint64) (done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client.fleet.removed() != removed {
		return false
	}
	for uid, h := range l.held {
		if h.device == dev && !wanted.has(h.address.Addr()) {
			l.drop(uid, "the address is gone")
		}
	}
	for _, a := range wanted {
		if err := l.take(dev, a); err != nil {
			l.warn(dev.name(), fmt.Sprintf("listen on %v", a.ip), err)
		}
	}
	return true
}

// take binds an id to an address, unless there is one, and keeps it if the kernel
// puts it on the device. It wants mu held.
func (l *listener) take(dev *device, a address) error {
	if _, attached := l.client.fleet.has(dev.index); !attached || l.holds(a.ip) {
		return nil
	}
	id, err := l.channel.NewID()
	if err != nil {
		return err
	}
	local := netip.AddrPortFrom(a.ip, l.port)
	on, err := bindAndListen(id, local, dev.index)
	if err != nil || !on {
		return errors.Join(ignoreElsewhere(err), id.Destroy())
	}
	who := Identity{Host: l.host, Device: dev.name(), Port: a.port, Netdev: a.netdev}
	l.held[id.UID()] = &held{id: id, address: local, device: dev, who: who}
	l.tell(&cmv1.ListenEvent{Event: &cmv1.ListenEvent_Listening{Listening: &cmv1.Listening{
		Device: who.Device, Port: who.Port, Address: cmv1.NewAddress(local),
	}}})
	return nil
}

// bindAndListen tells whether the id is on the device now. Two devices may have
// one address in their tables, as a bond's ports do.
func bindAndListen(id *ucma.ID, local netip.AddrPort, index uint32) (on bool, err error) {
	if err := id.Bind(local); err != nil {
		return false, err
	}
	route, err := id.Route()
	if err != nil {
		return false, err
	}
	if got, known := route.DeviceIndex.Get(); !known || got != index {
		return false, nil
	}
	return true, id.Listen(backlog)
}

// ignoreElsewhere drops what an address means that the table has and this
// namespace has not: a default GID whose address nobody assigned, or another
// namespace's.
func ignoreElsewhere(err error) error {
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, ucma.ErrNoDevice) {
		return nil
	}
	return err
}

func (l *listener) holds(ip netip.Addr) bool {
	for _, h := range l.held {
		if h.address.Addr() == ip {
			return true
		}
	}
	return false
}

// leave destroys all ids on a device. When it returns, the listener holds none
// there.
func (l *listener) leave(index uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uid, h := range l.held {
		if h.device.index == index {
			l.drop(uid, "the device is being removed")
		}
	}
}

// drop wants mu held. Requests that nobody has read yet end with the id.
func (l *listener) drop(uid uint64, why string) {
	h := l.held[uid]
	delete(l.held, uid)
	if err := h.id.Destroy(); err != nil && !errors.Is(err, ucma.ErrDeviceGone) {
		l.warn(h.who.Device, "stop listening", err)
	}
	l.tell(&cmv1.ListenEvent{Event: &cmv1.ListenEvent_Stopped{Stopped: &cmv1.Stopped{
		Device: h.who.Device, Address: cmv1.NewAddress(h.address), Why: why,
	}}})
}

// close lets go of everything.
func (l *listener) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.held)
	return l.channel.Close()
}

// listens tells whether there is anything to answer on.
func (l *listener) listens() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held) > 0
}

// answerAll answers until ctx ends or the channel does.
func (l *listener) answerAll(ctx context.Context) error {
	for {
		e, err := l.channel.NextEvent(ctx)
		if err != nil {
			return err
		}
		l.handle(e)
	}
}

func (l *listener) handle(e ucma.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[e.UID]
	switch {
	case !ok: // destroyed since
	case e.Type == ucma.EventConnectRequest:
		if err := l.answer(h, e); err != nil {
			l.warn(h.who.Device, "answer a request", err)
		}
	case e.Type == ucma.EventDeviceRemoval:
		l.drop(e.UID, "the device is gone")
	}
}

// answer rejects a request: with who we are if it is a ping, else without a word.
func (l *listener) answer(h *held, e ucma.Event) error {
	request, err := l.channel.Request(e)
	if err != nil {
		return err
	}
	route, err := request.Route()
	var words []byte
	nonce, ping := decodePing(e.PrivateData)
	if ping {
		who := h.who
		who.GID = route.SGID
		words = encodeAnswer(nonce, who)
	}
	if err = errors.Join(err, request.Reject(words), request.Destroy()); err != nil {
		return err
	}
	l.tell(&cmv1.ListenEvent{Event: &cmv1.ListenEvent_Answered{Answered: &cmv1.Answered{
		Device: h.who.Device, Port: h.who.Port, Ping: ping,
		From: cmv1.NewAddress(route.Destination), To: cmv1.NewAddress(route.Source),
	}}})
	return nil
}
