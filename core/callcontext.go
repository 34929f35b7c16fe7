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

// revocable returns a marked ctx that ends when a's device or client begins to
// leave. The caller calls release when the client has returned.
func (r *Registry) revocable(ctx context.Context, a *attachment) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(r.marked(ctx))
	stopDevice := onEnd(a.device.life, func() { cancel(context.Cause(a.device.life)) })
	stopClient := onEnd(a.client.life, func() { cancel(context.Cause(a.client.life)) })
	return ctx, func() {
		stopDevice()
		stopClient()
		cancel(nil)
	}
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
