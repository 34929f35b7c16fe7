package roce

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin"
	"github.com/ibctl/ibctl/plugins/roce/rocev1"
)

// hub brings together those who watch and the devices. While somebody watches, each
// device has a [keeper], and [ears] hear what happens to interfaces; they walk all
// devices to poke the keepers concerned, and wait for none.
//
// That is how Remove can flush the work of its device without deadlock: netdev-wide
// work and the work of a device are different queues.
type hub struct {
	mu      sync.Mutex
	devices map[*device]bool
	keepers map[*device]*keeper // none while nobody watches
	subs    map[*subscriber]bool
	listen  func(*hub) (io.Closer, error)
	ears    io.Closer
	running context.Context // of the keepers
	stop    context.CancelFunc
}

func newHub() *hub {
	return &hub{devices: map[*device]bool{}, keepers: map[*device]*keeper{}, subs: map[*subscriber]bool{}, listen: listen}
}

// add enters a device.
func (h *hub) add(dev *device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.devices[dev] = true
	if len(h.subs) == 0 {
		return
	}
	k := h.keep(dev)
	for s := range h.subs {
		if k != nil && s.watches(dev.info().Name) {
			k.join(s, true)
		}
	}
}

// keep starts a keeper; mu is held. It returns nil for a device that is leaving.
func (h *hub) keep(dev *device) *keeper {
	k, running := newKeeper(dev.info, dev.reader), h.running
	dev.keepers.Add(1)
	err := dev.run(func(ctx context.Context) {
		defer dev.keepers.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(running, cancel)()
		k.run(ctx)
	})
	if err != nil {
		dev.keepers.Done()
		return nil
	}
	h.keepers[dev] = k
	return k
}

// remove takes a device out, whose context has ended. When it returns, nothing reads
// the device, and nothing will.
func (h *hub) remove(dev *device) {
	h.mu.Lock()
	delete(h.devices, dev)
	delete(h.keepers, dev)
	h.mu.Unlock()
	dev.keepers.Wait()
}

// poke has tables of all devices read that may be concerned.
func (h *hub) poke(concerned concern) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.keepers {
		k.poke(concerned)
	}
}

// pokeDevice has all tables of one device read.
func (h *hub) pokeDevice(dev *device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.keepers[dev]; k != nil {
		k.poke(anyPort)
	}
}

// missed tells all who watch that events were lost.
func (h *hub) missed(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		s.miss("", 0, text)
	}
	for _, k := range h.keepers {
		k.poke(anyPort)
	}
}

// join lets a subscriber in. leave must follow where it returns no error. It listens
// before it reads: what happens in between is heard.
func (h *hub) join(s *subscriber) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) == 0 {
		if err := h.start(); err != nil {
			return err
		}
	}
	h.subs[s] = true
	var watched []*keeper
	for dev, k := range h.keepers {
		if s.watches(dev.info().Name) {
			watched = append(watched, k)
		}
	}
	s.await(len(watched))
	for _, k := range watched {
		k.join(s, false)
	}
	return nil
}

// start begins to listen and to keep; mu is held.
func (h *hub) start() (err error) {
	if h.ears, err = h.listen(h); err != nil {
		return err
	}
	h.running, h.stop = context.WithCancel(context.Background())
	for dev := range h.devices {
		h.keep(dev)
	}
	return nil
}

// leave takes a subscriber off. With the last one all work ends, and is waited for.
func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	delete(h.subs, s)
	for _, k := range h.keepers {
		k.leave(s)
	}
	if len(h.subs) > 0 {
		h.mu.Unlock()
		return
	}
	keepers, ears := h.keepers, h.ears
	h.keepers = map[*device]*keeper{}
	h.stop()
	h.mu.Unlock()
	_ = ears.Close()
	for _, k := range keepers {
		<-k.done
	}
}

// WatchGIDs implements [rocev1.RoCEServer].
func (s *service) WatchGIDs(req *rocev1.WatchGIDsRequest, stream grpc.ServerStreamingServer[rocev1.GIDChange]) error {
	if !s.client.live {
		return status.Error(codes.InvalidArgument, "a captured tree does not change")
	}
	sub := newSubscriber(req)
	if err := s.client.hub.join(sub); err != nil {
		return err
	}
	defer s.client.hub.leave(sub)
	for {
		changes, err := sub.next(stream.Context())
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := stream.Send(c); err != nil {
				return err
			}
		}
	}
}

// Changed implements [plugin.ChangeHandler]: something about the device is new.
func (c *Client) Changed(_ context.Context, dev *plugin.Device, _ core.Change) error {
	c.hub.pokeDevice(dataOf(dev))
	return nil
}
