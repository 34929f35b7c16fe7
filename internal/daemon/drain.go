package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ibctl/ibctl/core"
	"github.com/ibctl/ibctl/internal/api/apiv1"
)

// errCallerGone is why a device goes back into service when its drain was given
// up without a verdict.
var errCallerGone = errors.New("whoever drained it has gone")

// Drain implements apiv1.DaemonServer.
func (s *service) Drain(stream grpc.BidiStreamingServer[apiv1.DrainRequest, apiv1.DrainResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.GetBegin() == nil {
		return refusef(codes.InvalidArgument, syscall.EINVAL, "drain: the first message names no device")
	}
	dev, release, err := s.claim(stream.Context(), first.GetBegin().GetIndex())
	if err != nil {
		return err
	}
	defer release()
	run := &drainRun{daemon: s.daemon, stream: stream, dev: dev, off: make(chan struct{}), verdict: make(chan *apiv1.Verdict, 1)}
	return coded(run.run())
}

// Undrain implements apiv1.DaemonServer.
func (s *service) Undrain(ctx context.Context, req *apiv1.UndrainRequest) (*apiv1.UndrainResponse, error) {
	dev, release, err := s.claim(ctx, req.GetDevice().GetIndex())
	if err != nil {
		return nil, err
	}
	defer release()
	was := s.isDrained(dev.ID)
	if err := s.records.Forget(req.GetDevice().GetIndex()); err != nil {
		return nil, err
	}
	if err := s.registry.Undrain(ctx, dev.ID); err != nil {
		return nil, coded(err)
	}
	return &apiv1.UndrainResponse{WasDrained: was}, nil
}

// claim finds a device, and keeps others from draining and undraining it until
// release is called. That it is drained already is no leave for two to go on: one
// of them may be about to remove it. Whoever has just given up may take a moment.
func (s *service) claim(ctx context.Context, index uint32) (dev core.Device, release func(), err error) {
	if dev, err = s.registered(ctx, index); err != nil {
		return dev, nil, err
	}
	for deadline := time.Now().Add(claimLimit); !s.drains.begin(dev.ID); {
		if time.Now().After(deadline) {
			return dev, nil, refusef(codes.Unavailable, syscall.EBUSY, "another ibctl is draining it, or putting it back")
		}
		select {
		case <-ctx.Done():
			return dev, nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return dev, func() { s.drains.end(dev.ID) }, nil
}

// drains is a set of devices, each of which somebody is at work on.
type drains struct {
	mu  sync.Mutex
	set map[core.ID]bool
}

// begin adds a device, unless it is there.
func (d *drains) begin(id core.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.set[id] {
		return false
	}
	if d.set == nil {
		d.set = map[core.ID]bool{}
	}
	d.set[id] = true
	return true
}

func (d *drains) end(id core.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.set, id)
}

// registered finds a device by the kernel's index, drained or not. One that has
// just come to be may not be known yet; it is waited for.
func (s *service) registered(ctx context.Context, index uint32) (core.Device, error) {
	if s.Root != "" {
		return core.Device{}, refusef(codes.Unavailable, syscall.EOPNOTSUPP, "the devices of a captured tree are not there to be changed")
	}
	deadline := time.Now().Add(arrivalLimit)
	for {
		all := slices.Concat(s.registry.Devices(), s.registry.Drained())
		if i := slices.IndexFunc(all, func(d core.Device) bool { return d.ID.Index == index }); i >= 0 {
			return all[i], nil
		}
		if time.Now().After(deadline) {
			return core.Device{}, refusef(codes.NotFound, syscall.ENODEV, "ibctl serve has no device with the index %d", index)
		}
		select {
		case <-ctx.Done():
			return core.Device{}, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *daemon) isDrained(id core.ID) bool {
	return slices.ContainsFunc(d.registry.Drained(), func(dev core.Device) bool { return dev.ID == id })
}

// drainRun is one drain, from its first message to its last.
type drainRun struct {
	*daemon
	stream grpc.BidiStreamingServer[apiv1.DrainRequest, apiv1.DrainResponse]
	dev    core.Device
	// off is closed when the clients are off; wasDrained is set by then. verdict
	// gets what the caller says.
	off        chan struct{}
	wasDrained bool
	verdict    chan *apiv1.Verdict
	recorded   bool // that the device is drained
}

func (r *drainRun) run() error {
	ctx, cancel := context.WithCancelCause(r.stream.Context())
	defer cancel(nil)
	r.listeners.Go(func() { r.listen(cancel) })
	attached := r.attachedClients()
	result := make(chan error, 1)
	go func() { result <- r.drain(ctx) }()
	tick := time.NewTicker(waitNews)
	defer tick.Stop()
	off := r.off
	for {
		select {
		case <-off:
			off = nil
			done := &apiv1.ClientsOff{WasDrained: r.wasDrained, Clients: attached}
			r.say(&apiv1.DrainResponse{Say: &apiv1.DrainResponse_ClientsOff{ClientsOff: done}})
		case <-tick.C:
			if off != nil {
				r.say(&apiv1.DrainResponse{Say: &apiv1.DrainResponse_Waiting{Waiting: r.waiting()}})
			}
		case err := <-result:
			return err
		}
	}
}

// say tells the caller. If that fails the caller has gone, which ends the drain.
func (r *drainRun) say(m *apiv1.DrainResponse) { _ = r.stream.Send(m) }

// drain returns when the device is drained, or is as it was before.
func (r *drainRun) drain(ctx context.Context) error {
	err := r.registry.Drain(ctx, r.dev.ID, func(ctx context.Context) error {
		close(r.off)
		return r.await(ctx)
	})
	switch {
	case errors.Is(err, core.ErrDrained):
		r.wasDrained = true
		close(r.off)
		return r.await(ctx)
	case err != nil && r.recorded: // it has gone, and is not to be found drained
		return errors.Join(err, r.records.Forget(r.dev.ID.Index))
	case errors.Is(err, context.Canceled):
		return context.Cause(ctx)
	}
	return err
}

// await waits for the caller's verdict. One that was given counts, though the caller
// may have gone since.
func (r *drainRun) await(ctx context.Context) error {
	select {
	case v := <-r.verdict:
		return r.carryOut(v)
	case <-ctx.Done():
	}
	select {
	case v := <-r.verdict:
		return r.carryOut(v)
	default:
		return context.Cause(ctx)
	}
}

func (r *drainRun) carryOut(v *apiv1.Verdict) error {
	if err := v.GetFailed().Err(); err != nil || !v.GetKeep() {
		return err
	}
	err := r.records.Put(r.dev.Info)
	r.recorded = err == nil
	return err
}

// listen reads what the caller says until the call ends. A failure needs no
// clients off, and ends the drain wherever it is.
func (r *drainRun) listen(end context.CancelCauseFunc) {
	for {
		m, err := r.stream.Recv()
		if err != nil {
			end(errCallerGone)
			return
		}
		switch v := m.GetVerdict(); {
		case m.GetNote() != nil:
			r.note(m.GetNote())
		case v != nil && v.GetFailed() != nil:
			end(v.GetFailed().Err())
			return
		case v != nil:
			r.verdict <- v
			return
		}
	}
}

// note enters what the caller does into the journal.
func (r *drainRun) note(e *apiv1.Event) {
	out := e.Journal()
	out.Seq, out.Time = 0, time.Now()
	out.Device = r.dev.Info.Name
	out.SetDevice(r.dev.ID)
	r.journal.Append(out)
}

// attachedClients lists the clients on the device, the last one first, which is
// the order in which they are removed.
func (r *drainRun) attachedClients() []string {
	var names []string
	for _, a := range slices.Backward(r.registry.Attachments()) {
		if a.Device == r.dev.ID && a.State == core.AttachAttached {
			names = append(names, a.Client)
		}
	}
	return names
}

// waiting tells who keeps the drain from going on.
func (r *drainRun) waiting() *apiv1.DrainWait {
	w := &apiv1.DrainWait{Leases: r.registry.LeaseHolders(r.dev.ID)}
	for _, a := range r.registry.Attachments() {
		if a.Device == r.dev.ID && a.State == core.AttachRemoving {
			w.Clients = append(w.Clients, &apiv1.WaitingClient{Name: a.Client, Pid: uint32(r.clients.pid(a.Client)), Answers: r.calls.to(a.Client)})
		}
	}
	return w
}
