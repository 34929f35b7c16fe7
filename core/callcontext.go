package core

import "context"

// callback is the key under which a ctx carries the mark of r's callbacks.
type callback struct{ r *Registry }

// marked returns ctx for a call of a client: with the values of the caller's,
// with the mark, and without an end.
func (r *Registry) marked(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), callback{r}, true)
}

func (r *Registry) inCallback(ctx context.Context) bool {
	return ctx.Value(callback{r}) != nil
}

// begin readies a call of a's client that is to be called back when the device or
// the client begins to leave, or the device to be drained. If one of them has already, it is not ok: then
// there is nothing to begin. Either way, end follows.
func (r *Registry) begin(ctx context.Context, a *attachment) (_ context.Context, dev Device, ok bool) {
	ctx, recall := context.WithCancelCause(r.marked(ctx))

	r.devicesMu.Lock()
	dev, ok = a.device.picture(), !a.device.leaving() && a.device.serves()
	a.device.recall = recall
	r.devicesMu.Unlock()

	r.clientsMu.Lock()
	ok = ok && !a.client.leaving()
	a.recall = recall
	r.clientsMu.Unlock()
	return ctx, dev, ok
}

// end follows when the client has returned.
func (r *Registry) end(a *attachment) {
	r.devicesMu.Lock()
	a.device.recall = nil
	r.devicesMu.Unlock()

	r.clientsMu.Lock()
	a.recall(nil)
	a.recall = nil
	r.clientsMu.Unlock()
}

// onEnd calls f, in a goroutine, if ctx ends before stop is called. When stop
// returns, f has returned or will not be called.
func onEnd(ctx context.Context, f func()) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		f()
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}
