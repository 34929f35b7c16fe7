package plugintest

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/core/plugin/pluginv1"
)

// talk is a conversation about one device that ibctl itself would not have: it
// repeats itself, comes late, or hurries.
type talk struct {
	r       *running
	id      *pluginv1.DeviceID
	stream  grpc.BidiStreamingClient[pluginv1.DeviceRequest, pluginv1.DeviceReply]
	cancel  context.CancelFunc
	replies chan *pluginv1.DeviceReply
	ended   chan struct{}
	err     error        // why; valid after ended
	late    atomic.Int64 // events after Removed
	vouched func()       // ends what lets the plugin ask in the device's name
}

// talk opens a conversation about a device. end must follow, or the end of the
// trial.
func (r *running) talk(id core.ID) *talk {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := r.rpc.Device(ctx)
	if err != nil {
		cancel()
		r.host.fatalf("the conversation about a device cannot be opened: %v", err)
	}
	t := &talk{
		r: r, id: r.DeviceID(id), stream: stream, cancel: cancel,
		replies: make(chan *pluginv1.DeviceReply, 16), ended: make(chan struct{}),
		vouched: r.Vouch(id),
	}
	go t.read()
	return t
}

func (t *talk) read() {
	defer close(t.ended)
	removed := false
	for {
		reply, err := t.stream.Recv()
		if err != nil {
			t.err = err
			return
		}
		removed = removed || reply.GetRemoved() != nil
		switch {
		case reply.GetEvent() == nil:
			t.replies <- reply
		case removed:
			t.late.Add(1)
		}
	}
}

// end ends the conversation.
func (t *talk) end() {
	t.cancel()
	<-t.ended
	t.vouched()
}

// ask sends a request.
func (t *talk) ask(req *pluginv1.DeviceRequest) {
	req.Id = t.id
	req.TimeoutMs = uint64(t.r.host.plugin.patience.Milliseconds())
	if err := t.stream.Send(req); err != nil {
		<-t.ended
		t.r.host.fatalf("the plugin ended the conversation: %v", t.err)
	}
}

// reply waits for the next one.
func (t *talk) reply(to string) *pluginv1.DeviceReply {
	late := time.After(t.r.host.plugin.patience)
	select {
	case reply := <-t.replies:
		return reply
	case <-t.ended:
		select {
		case reply := <-t.replies:
			return reply
		default:
			t.r.host.fatalf("%s: the plugin ended the conversation: %v", to, t.err)
		}
	case <-late:
		t.r.host.fatalf("%s: no reply within %v", to, t.r.host.plugin.patience)
	}
	return nil
}

// add says Add and returns what the plugin replied.
func (t *talk) add(dev core.Device) error {
	t.ask(addRequest(dev))
	return t.added("Add")
}

func (t *talk) added(to string) error {
	reply := t.reply(to)
	if reply.GetAdded() == nil {
		t.r.host.fatalf("%s was answered with another reply than Added: %v", to, reply)
	}
	return reply.GetAdded().GetError().Err()
}

// remove says Remove and returns what the plugin replied.
func (t *talk) remove() error {
	t.ask(removeRequest())
	return t.removed("Remove")
}

func (t *talk) removed(to string) error {
	reply := t.reply(to)
	if reply.GetRemoved() == nil {
		t.r.host.fatalf("%s was answered with another reply than Removed: %v", to, reply)
	}
	return reply.GetRemoved().GetError().Err()
}

// change says Change and returns what the plugin replied.
func (t *talk) change(dev core.Device, what uint32) error {
	t.ask(&pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Change{
		Change: &pluginv1.Change{Device: pluginv1.NewDevice(dev.Info), What: what},
	}})
	reply := t.reply("Change")
	if reply.GetChanged() == nil {
		t.r.host.fatalf("Change was answered with another reply than Changed: %v", reply)
	}
	return reply.GetChanged().GetError().Err()
}

func addRequest(dev core.Device) *pluginv1.DeviceRequest {
	return &pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Add{Add: &pluginv1.Add{Device: pluginv1.NewDevice(dev.Info)}}}
}

func removeRequest() *pluginv1.DeviceRequest {
	return &pluginv1.DeviceRequest{Request: &pluginv1.DeviceRequest_Remove{Remove: &pluginv1.Remove{}}}
}

// attach is a conversation that begins with an Add that succeeds.
func (r *running) attach(dev core.Device) *talk {
	t := r.talk(dev.ID)
	if err := t.add(dev); err != nil {
		r.host.fatalf("Add: %v", err)
	}
	return t
}

// finish removes the device, and ends the conversation.
func (t *talk) finish() {
	if err := t.remove(); err != nil {
		t.r.host.fatalf("Remove: %v", err)
	}
	t.end()
}
