// Package plugin is what the author of an ibctl plugin imports. A plugin is a
// process that serves one IB client: code that drives devices between Add and
// Remove. The whole of one is
//
//	type client struct{}
//
//	func (client) Name() string { return "hello" }
//
//	func (client) Add(ctx context.Context, dev *plugin.Device) (any, error) {
//		slog.Info("hello", "device", dev.Info().Name)
//		return nil, nil
//	}
//
//	func (client) Remove(ctx context.Context, dev *plugin.Device) error { return nil }
//
//	func main() { plugin.Serve(client{}) }
//
// plugins/example is a longer one, ibctl-plugin(7) is the contract in full, and
// package plugins/plugintest holds a plugin against it.
//
// # The promise
//
// When Remove returns, none of the plugin's code touches the device, nor ever
// will again. The package keeps the larger part of that promise: what was
// started with [Device.Go] is waited for, questions and host calls in flight are
// waited for, later ones are refused, and a Remove that comes while Add runs
// ends Add first. What is left to the author is not to start a bare goroutine
// that knows the device, and to return from Remove in time: ibctl ends a process
// that does not.
//
// # Concurrency
//
// ibctl calls Add and Remove for different devices at the same time; for one
// device they never overlap. Every method of this package may be called by any
// number of goroutines at once. No lock is held while the author's code runs.
package plugin
